"""`POST /predict` and `POST /batch_predict`: which operation videos show."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Depends, Request

from nbhelpers.serve.answers import Account, BatchAnswer, Memory, PredictAnswer, Prediction, Refused, Timing
from nbhelpers.serve.answers import prediction as of_one
from nbhelpers.serve.auth import require_token
from nbhelpers.serve.clip import Wanted
from nbhelpers.serve.refusals import Refusal, refused
from nbhelpers.serve.service import Served, Service, Spent
from nbhelpers.serve.upload import Upload, receive

router = APIRouter(tags=["video"], dependencies=[Depends(require_token)])
_REFUSALS = refused(401, 408, 413, 415, 422, 429, 500, 503)


def _form(field: str, many: bool) -> dict[str, Any]:
    """The form of an endpoint for /docs; FastAPI cannot tell, since it does not read the body."""
    file = {"type": "string", "format": "binary"}
    schema = Wanted.model_json_schema()
    schema["properties"] = {field: {"type": "array", "items": file} if many else file, **schema["properties"]}
    schema |= {"title": "Form", "required": [field]}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


@router.post("/predict", responses=_REFUSALS, openapi_extra=_form("video", False))
async def predict(request: Request, service: Served) -> PredictAnswer:
    """Which operation is under way in a video, from when to when, and what comes next."""
    began = time.perf_counter()
    async with _received(request, service, "video", 1) as (upload, wanted, wait_s):
        (result,), spent = await service.answer(upload.files, wanted)
    if isinstance(result, Refusal):
        raise result
    account = _account(service, upload, wait_s, [spent], began)
    one = of_one(upload.files[0].name, *result)
    return PredictAnswer(**one.model_dump(), **account.model_dump())


@router.post("/batch_predict", responses=_REFUSALS, openapi_extra=_form("videos", True))
async def batch_predict(request: Request, service: Served) -> BatchAnswer:
    """The same for several videos; one that cannot be used has its reason, the others their answers."""
    began = time.perf_counter()
    results: list[Prediction | Refused] = []
    spent: list[Spent] = []
    together = service.limits.together
    async with _received(request, service, "videos", service.limits.files) as (upload, wanted, wait_s):
        for first in range(0, len(upload.files), together):
            part = upload.files[first : first + together]
            answers, took = await service.answer(part, wanted)
            spent.append(took)
            for file, found in zip(part, answers, strict=True):
                if isinstance(found, Refusal):
                    results.append(Refused(file_name=file.name, status=found.status, reason=found.reason))
                else:
                    results.append(of_one(file.name, *found))
    account = _account(service, upload, wait_s, spent, began)
    return BatchAnswer(results=results, **account.model_dump())


@asynccontextmanager
async def _received(
    request: Request, service: Service, field: str, most: int
) -> AsyncIterator[tuple[Upload, Wanted, float]]:
    """Upload, wishes and seconds waited of a request whose turn it is; its files are gone afterwards."""
    with service.turns.place(), service.spool.request() as folder:
        upload = await receive(request, folder, service.limits, field, most)
        service.measures.upload(sum(file.size_bytes for file in upload.files))
        wanted = Wanted.model_validate(upload.fields)
        waiting = time.perf_counter()
        async with service.turns.turn(request):
            yield upload, wanted, time.perf_counter() - waiting


def _account(service: Service, upload: Upload, wait_s: float, spent: list[Spent], began: float) -> Account:
    """Where the time went and what memory was seen, also noted in the metrics."""
    decode, answer = sum(one.decode_s for one in spent), sum(one.answer_s for one in spent)
    service.measures.stages(upload_s=upload.seconds, wait_s=wait_s, decode_s=decode, answer_s=answer)
    gpu = [sum(one.memory.gpu_peak_bytes.values()) for one in spent if one.memory.gpu_peak_bytes]
    timing = Timing(
        upload_s=round(upload.seconds, 4), wait_s=round(wait_s, 4), decode_s=round(decode, 4),
        answer_s=round(answer, 4), total_s=round(time.perf_counter() - began, 4),
    )  # fmt: skip
    memory = Memory(
        process_bytes=spent[-1].memory.end_bytes,
        process_peak_bytes=max(one.memory.peak_bytes for one in spent),
        gpu_peak_bytes=max(gpu) if gpu else None,
    )
    return Account(model=service.model, adapter=service.adapter_name, timing=timing, memory=memory)
