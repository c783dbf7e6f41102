"""`GET /metrics`: the counts for Prometheus."""

from fastapi import APIRouter, Depends
from fastapi.responses import Response
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from nbhelpers.serve.auth import require_token
from nbhelpers.serve.refusals import refused
from nbhelpers.serve.service import Served

router = APIRouter(tags=["state"], dependencies=[Depends(require_token)])


@router.get("/metrics", response_class=Response, responses=refused(401))
def metrics(service: Served) -> Response:
    """Requests, seconds per stage, answers, places and memory, in Prometheus' text format."""
    return Response(service.measures.text(), media_type=CONTENT_TYPE_LATEST)
