"""The endpoints, a file per concern. A new file's router goes into `ROUTERS`, and the server has it."""

from fastapi import APIRouter

from nbhelpers.serve.routers import adapters, health, metrics, predict, status

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    status.router,
    predict.router,
    adapters.router,
    metrics.router,
)
