"""The one model a server has, and the way a request takes to it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, Request

from nbhelpers.artifacts import plain
from nbhelpers.errors import BadInput
from nbhelpers.memory import Watch, release, watch
from nbhelpers.serve.clip import Cut, Wanted, cut
from nbhelpers.serve.form import UploadedFile
from nbhelpers.serve.limits import Limits
from nbhelpers.serve.measures import Measures
from nbhelpers.serve.predictor import Predictor, Said
from nbhelpers.serve.refusals import Refusal, of_error
from nbhelpers.serve.spool import Spool
from nbhelpers.serve.turns import Turns

_ALARM = 3  # internal failures in a row after which the server calls itself ill


@dataclass(frozen=True)
class Spent:
    """Seconds of a group of videos, and the memory seen while the model answered."""

    decode_s: float
    answer_s: float
    memory: Watch


class Service:
    """Everything the endpoints share.

    Args:
        predictor: the loaded model; called from one thread only.
        limits: what requests may ask for.
        token: that requests must carry, None for none.
        adapters: folder of the adapters that may be chosen while the server runs, None for none.
        adapter: the one that is on the model already; may be chosen too, wherever it lies.
        spool: parent folder of the uploads, None for the system's temporary one.

    Attributes:
        adapter: folder of the adapter in use, None for the bare model.
        failures: internal errors in a row.
    """

    def __init__(
        self, predictor: Predictor, limits: Limits, token: str | None = None, adapters: Path | None = None,
        adapter: Path | None = None, spool: Path | None = None,
    ) -> None:  # fmt: skip
        self.predictor, self.limits, self.token = predictor, limits, token
        self._adapters, self._first, self.adapter = adapters, adapter, adapter
        self.turns, self.spool, self.failures = Turns(limits), Spool(spool), 0
        self.measures = Measures(self.turns)
        self.described: dict[str, Any] = plain(predictor.describe())

    @property
    def model(self) -> str:
        """Name of the model."""
        return str(self.described.get("model", "unknown"))

    @property
    def ill(self) -> str | None:
        """Why the server should be started anew, None while it need not."""
        if self.failures < _ALARM:
            return None
        return f"the last {self.failures} predictions failed inside the model"

    async def answer(
        self, files: Sequence[UploadedFile], wanted: Wanted
    ) -> tuple[list[tuple[Cut, Said] | Refusal], Spent]:
        """Cut and answer videos whose turn it is; what is wrong with one does not touch the others.

        Raises:
            Refusal: 500 or 503: the model failed; the frames of all of them were its input.
        """
        began = time.perf_counter()
        cuts = [await self.turns.in_reader_thread(_cut, file, wanted, self.limits) for file in files]
        decoded = time.perf_counter()
        good = [one for one in cuts if isinstance(one, Cut)]
        said, seen = await self.turns.in_model_thread(self._ask, good, wanted.constrained)
        spent = Spent(decoded - began, time.perf_counter() - decoded, seen)
        for one in said:
            self.measures.said(one.answer is not None)
        answers = iter(said)
        return [(one, next(answers)) if isinstance(one, Cut) else one for one in cuts], spent

    def _ask(self, cuts: list[Cut], constrained: bool) -> tuple[list[Said], Watch]:
        """In the model's thread: its answers, and the memory meanwhile."""
        with watch(0.05) as seen:
            if not cuts:
                return [], seen
            try:
                said = list(self.predictor.predict([one.shown for one in cuts], constrained=constrained))
            except Exception as error:
                refusal = self._failed(error)
            else:
                self.failures = 0
                return said, seen
        release()  # outside the handler: the error's trace holds what the model had allocated
        raise refusal

    def _failed(self, error: Exception) -> Refusal:
        refusal = of_error(error)
        self.failures += refusal.status == 500
        return refusal

    @property
    def adapter_name(self) -> str | None:
        """Name of the adapter in use, None for the bare model."""
        return None if self.adapter is None else self.adapter.name

    def adapters(self) -> dict[str, Path]:
        """The adapters that may be chosen, by name, in the order of their names."""
        first = [] if self._first is None else [self._first]
        found = [] if self._adapters is None else self._adapters.glob("*/nbhelpers_adapter.json")
        return {one.name: one for one in sorted([*first, *(file.parent for file in found)])}

    async def use_adapter(self, name: str | None) -> None:
        """Change the adapter between two requests. Only listed names are taken: no path leaves the folder.

        Raises:
            Refusal: 404 where there is no such adapter, 422 where it is none of this model.
        """
        known = self.adapters()
        if name is not None and name not in known:
            listed = ", ".join(known) or "none"
            raise Refusal(404, f"adapter {name[:60]!r} is not there; known adapters: {listed}")
        await self.turns.in_model_thread(self._swap, None if name is None else known[name])

    def _swap(self, folder: Path | None) -> None:
        try:
            self.predictor.swap(folder)
        except BaseException:
            self.predictor.swap(self.adapter)  # it may be off by the time the new one is found not to fit
            raise
        self.adapter = folder
        self.described = plain(self.predictor.describe())

    def close(self) -> None:
        """Let the model finish, then remove what is left on disk."""
        self.turns.close()
        self.spool.close()


def _cut(file: UploadedFile, wanted: Wanted, limits: Limits) -> Cut | Refusal:
    try:
        return cut(file, wanted, limits)
    except (Refusal, BadInput) as error:
        return of_error(error)


def service_of(request: Request) -> Service:
    """The service of the application a request came to."""
    service: Service = request.app.state.service
    return service


Served = Annotated[Service, Depends(service_of)]
