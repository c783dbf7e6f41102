"""`GET /adapters` and `PUT /adapter`: which adapters there are, and another one on the loaded model."""

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from nbhelpers.serve.auth import require_guard, require_token
from nbhelpers.serve.refusals import refused
from nbhelpers.serve.service import Served

router = APIRouter(tags=["adapters"])


class Adapters(BaseModel):
    """The adapter in use and those that may be chosen."""

    adapter: str | None = Field(description="none: the model as it was published")
    known: list[str]


class Choice(BaseModel):
    """The adapter to use from now on."""

    adapter: str | None = Field(description="a known name, or null for the bare model")


@router.get("/adapters", dependencies=[Depends(require_token)], responses=refused(401))
def adapters(service: Served) -> Adapters:
    """Which adapter is in use and which are known."""
    return Adapters(adapter=service.adapter_name, known=list(service.adapters()))


@router.put("/adapter", dependencies=[Depends(require_guard)], responses=refused(401, 403, 404, 422, 503))
async def use_adapter(choice: Choice, service: Served) -> Adapters:
    """Change the adapter after the request that is being answered; the model is not loaded again.

    Open only where the server has a token. Where the adapter does not belong to the model, the old one stays.
    """
    await service.use_adapter(choice.adapter)
    return Adapters(adapter=service.adapter_name, known=list(service.adapters()))
