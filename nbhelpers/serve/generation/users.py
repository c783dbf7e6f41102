"""Users by JSON Web Token: who asks is in the token, and nobody else can make one."""

import os
import re
import time
from typing import Annotated

import jwt
from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from nbhelpers.errors import BadInput
from nbhelpers.serve.generation.work import Generating
from nbhelpers.serve.refusals import Refusal

SECRET = "NBHELPERS_JWT_SECRET"
_ALGORITHM, _AUDIENCE, _LEEWAY_S = "HS256", "nbhelpers", 10
_LEAST_BYTES = 32  # RFC 7518, 3.2: no shorter than the hash
_USER = re.compile(r"[\w.@-]{1,64}", re.ASCII)
_BEARER = HTTPBearer(auto_error=False, description="a token that `nbhelpers user-token` made")


def secret_from_environment() -> str:
    """The secret that signs tokens.

    Raises:
        BadInput: the variable is missing or too short to be safe.
    """
    secret = os.environ.get(SECRET, "")
    if len(secret.encode()) < _LEAST_BYTES:
        raise BadInput(
            f"{SECRET}: set it to a random text of at least {_LEAST_BYTES} bytes, the same everywhere"
        )
    return secret


def make_token(user: str, secret: str, hours: float = 24.0) -> str:
    """A token for a user.

    Raises:
        BadInput: the name is none of 1 to 64 letters, digits and `_.@-`, or the time is not above 0.
    """
    if not _USER.fullmatch(user):
        raise BadInput(f"user {user[:60]!r}: use 1 to 64 letters, digits and _ . @ -")
    if not 0 < hours < 24 * 366:
        raise BadInput(f"hours {hours:g}: must be above 0 and within a year")
    now = time.time()
    claims = {"sub": user, "aud": _AUDIENCE, "iat": int(now), "exp": int(now + hours * 3600)}
    return jwt.encode(claims, secret, algorithm=_ALGORITHM)


def user_of(token: str, secret: str) -> str:
    """The user a token was made for.

    Raises:
        Refusal: 401, with what is wrong with it.
    """
    try:
        claims = jwt.decode(
            token, secret, algorithms=[_ALGORITHM], audience=_AUDIENCE, leeway=_LEEWAY_S,
            options={"require": ["exp", "sub"]},
        )  # fmt: skip
    except jwt.ExpiredSignatureError:
        raise Refusal(401, "the token has expired; ask for a new one") from None
    except jwt.InvalidTokenError as error:
        raise Refusal(401, f"the token is not valid ({type(error).__name__})") from None
    user = claims["sub"]
    if not isinstance(user, str) or not _USER.fullmatch(user):
        raise Refusal(401, "the token names no user")
    return user


async def require_user(
    work: Generating, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]
) -> str:
    """The user of a request.

    Raises:
        Refusal: 401.
    """
    if credentials is None:
        raise Refusal(401, "send a user's token: the header 'Authorization: Bearer TOKEN'")
    return user_of(credentials.credentials, work.secret)


User = Annotated[str, Depends(require_user)]
