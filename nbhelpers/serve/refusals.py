"""Why a request gets no answer: a status and one sentence, the same JSON for every endpoint."""

import logging
import sys
from math import ceil
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field, ValidationError
from starlette.exceptions import HTTPException

from nbhelpers.errors import BadInput

logger = logging.getLogger("nbhelpers.serve")


class Refusal(Exception):
    """A request that is not answered.

    Attributes:
        status: of HTTP.
        reason: one sentence that says what to do.
        retry_after_s: for 429 and 503: when a new try makes sense, seconds.
    """

    def __init__(self, status: int, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.retry_after_s = status, reason, retry_after_s

    def response(self) -> JSONResponse:
        """The refusal as JSON, with the headers that belong to its status."""
        headers = {}
        if self.retry_after_s is not None:
            headers["Retry-After"] = str(max(1, ceil(self.retry_after_s)))
        if self.status == 401:
            headers["WWW-Authenticate"] = "Bearer"
        body = {"status": self.status, "reason": self.reason}
        return JSONResponse(body, self.status, headers)


class RefusalBody(BaseModel):
    """The body of every answer that is not 200."""

    status: int = Field(description="the HTTP status again")
    reason: str = Field(description="one sentence: what was wrong and what to do")


def refused(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of an endpoint that may refuse with these statuses, for its documentation."""
    return {status: {"model": RefusalBody} for status in statuses}


def of_error(error: BaseException) -> Refusal:
    """The refusal that stands for an error; what is nobody's fault but ours is logged with its trace."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, BadInput):
        return Refusal(422, one_sentence(str(error)))
    if isinstance(error, ValidationError | RequestValidationError):
        return Refusal(422, sentence_of(error))
    if _is_out_of_memory(error):
        return Refusal(503, "memory did not suffice for this request; try again or send a smaller video", 5)
    logger.error("a request failed", exc_info=error)
    return Refusal(500, "something went wrong inside the server; its log has the details")


def sentence_of(error: ValidationError | RequestValidationError) -> str:
    """What pydantic found, in one sentence."""
    found = [f"{'.'.join(map(str, item['loc'])) or 'request'}: {item['msg']}" for item in error.errors()]
    return one_sentence("; ".join(found))


def one_sentence(text: str, limit: int = 400) -> str:
    """A message on one line, cut at `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _is_out_of_memory(error: BaseException) -> bool:
    torch = sys.modules.get("torch")
    kinds = (MemoryError, torch.OutOfMemoryError) if torch is not None else (MemoryError,)
    return isinstance(error, kinds)


def add_handlers(app: FastAPI) -> None:
    """Give what FastAPI itself refuses the one form; everything else ends in `measured.Measured`."""

    @app.exception_handler(HTTPException)
    def other(request: Request, error: HTTPException) -> Response:
        reason = f"{request.method} {request.url.path}: {error.detail}; see /docs"
        response = Refusal(error.status_code, one_sentence(reason)).response()
        response.headers.update(error.headers or {})
        return response

    @app.exception_handler(RequestValidationError)
    def wrong(request: Request, error: RequestValidationError) -> Response:
        return of_error(error).response()
