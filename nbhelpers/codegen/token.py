"""Where a token of the hub comes from: the environment, a notebook's secrets, or the logged-in user."""

import os

from nbhelpers.runtime import Choice

_VARIABLES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


def find_token() -> tuple[str | None, Choice]:
    """The token, and where it was found or where it was looked for; the token is never part of the reason."""
    for name in _VARIABLES:
        if os.environ.get(name, "").strip():
            return os.environ[name].strip(), Choice("found", f"the variable {name}")
    looked = [f"the variable {_VARIABLES[0]}"]
    places = {"Kaggle's secrets": _kaggle, "Colab's secrets": _colab, "the hub's login": _login}
    for place, read in places.items():
        token, why = read()
        if token:
            return token, Choice("found", place)
        looked.append(f"{place} ({why})")
    return None, Choice("none", f"looked in {', '.join(looked)}")


def _kaggle() -> tuple[str | None, str]:
    try:
        from kaggle_secrets import UserSecretsClient
    except ImportError:
        return None, "not on Kaggle"
    try:
        return UserSecretsClient().get_secret("HF_TOKEN"), "no secret HF_TOKEN"
    except Exception as error:  # its own errors are of no common class
        return None, f"{type(error).__name__}"


def _colab() -> tuple[str | None, str]:
    try:
        from google.colab import userdata
    except ImportError:
        return None, "not on Colab"
    try:
        return userdata.get("HF_TOKEN"), "no secret HF_TOKEN"
    except Exception as error:  # SecretNotFoundError and others, of no common class
        return None, f"{type(error).__name__}"


def _login() -> tuple[str | None, str]:
    from huggingface_hub import get_token

    return get_token(), "nobody is logged in"
