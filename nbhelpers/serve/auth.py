"""The optional bearer token."""

from hmac import compare_digest
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from nbhelpers.serve.refusals import Refusal
from nbhelpers.serve.service import Served

_BEARER = HTTPBearer(auto_error=False, description="the token the server was started with, if it was")
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]


async def require_token(service: Served, credentials: Credentials) -> None:
    """Let a request pass that carries the server's token, or any where the server has none.

    Raises:
        Refusal: 401. The time the comparison takes does not tell how much of a token was right.
    """
    if service.token is None:
        return
    given = credentials.credentials if credentials is not None else ""
    # Headers are read as latin-1; turned back, they are the bytes that were sent.
    if not compare_digest(given.encode("latin-1"), service.token.encode()):
        raise Refusal(401, "send the server's token: the header 'Authorization: Bearer TOKEN'")


async def require_guard(service: Served, checked: Annotated[None, Depends(require_token)]) -> None:
    """As `require_token`, but closed where the server has no token: for what changes the server itself.

    Raises:
        Refusal: 401, or 403 where no token was set.
    """
    if service.token is None:
        raise Refusal(403, "this endpoint changes the server; start it with a token to open it")
