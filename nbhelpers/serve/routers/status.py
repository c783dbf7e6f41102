"""`GET /status`: the model and why it is this one, memory, counts and latencies."""

import time
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from nbhelpers import __version__
from nbhelpers.memory import read_memory
from nbhelpers.serve.auth import require_token
from nbhelpers.serve.refusals import refused
from nbhelpers.serve.service import Served

router = APIRouter(tags=["state"], dependencies=[Depends(require_token)])


class Status(BaseModel):
    """The state of the server."""

    version: str
    up_s: float
    model: dict[str, Any] = Field(description="the model, its rungs with reasons, its adapter")
    operations: list[str] = Field(description="what the model can name")
    adapter: str | None
    present: int = Field(description="requests received, waiting or answered now")
    waiting: int
    limits: dict[str, float]
    memory: dict[str, Any] = Field(description="of the process, the machine and each GPU, bytes")
    counts: dict[str, dict[int, int]] = Field(description="requests by endpoint and status")
    latencies: dict[str, dict[str, float]] = Field(description="of the last thousand answers, seconds")


@router.get("/status", responses=refused(401))
def status(service: Served) -> Status:
    """Model, rungs, memory, counts and latencies."""
    memory, measures = read_memory(), service.measures
    return Status(
        version=__version__,
        up_s=round(time.time() - measures.began, 1),
        model=service.described,
        operations=list(service.predictor.operations),
        adapter=service.adapter_name,
        present=service.turns.present,
        waiting=service.turns.waiting,
        limits=asdict(service.limits),
        memory=asdict(memory),
        counts={endpoint: dict(found) for endpoint, found in list(measures.counts.items())},
        latencies=measures.latencies(),
    )
