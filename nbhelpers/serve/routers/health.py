"""`GET /health`: can this server answer? Open to everyone, because probes carry no token."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from nbhelpers.artifacts import plain
from nbhelpers.runtime import gpu_status
from nbhelpers.serve.service import Served

router = APIRouter(tags=["state"])


class GpuState(BaseModel):
    """One GPU, memory in bytes."""

    index: int
    name: str
    total_bytes: int
    free_bytes: int


class Health(BaseModel):
    """Whether the server can answer, and on what."""

    status: str = Field(description="ok, ill or stopping")
    reason: str = Field(description="one sentence where the status is not ok")
    model: str
    gpus: list[GpuState]
    gpu_note: str = Field(description="what was found, or why there is no GPU")


@router.get("/health", responses={503: {"model": Health, "description": "ill or stopping"}})
def health(service: Served) -> Health:
    """200 while the server can answer, 503 when it should get no requests or be started anew."""
    boards, note = gpu_status()
    status, reason = "ok", ""
    if service.turns.stopping.is_set():
        status, reason = "stopping", "the server was told to stop"
    elif service.ill:
        status, reason = "ill", service.ill
    shown = [GpuState(**{key: getattr(one, key) for key in GpuState.model_fields}) for one in boards]
    found = Health(status=status, reason=reason, model=service.model, gpus=shown, gpu_note=note)
    if status != "ok":
        return JSONResponse(plain(found), 503)  # type: ignore[return-value]
    return found
