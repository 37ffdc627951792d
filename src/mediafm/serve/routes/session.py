"""Signing in: a browser sends the token once, and keeps a sealed cookie in its place."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, SecretStr

from mediafm.serve.problems import RefusedError
from mediafm.serve.security import (
    PAUSE,
    SESSION,
    cookie_name,
    is_session,
    is_token,
    new_session,
)
from mediafm.serve.settings import MOST_TOKEN, Settings

router = APIRouter(tags=["session"])


class Session(BaseModel):
    """Whether a token is needed, and whether this browser has given it."""

    required: bool
    signed_in: bool


class SignIn(BaseModel):
    """The server's token."""

    token: SecretStr = Field(max_length=MOST_TOKEN)


@router.get("/session")
def session(request: Request) -> Session:
    """Whether to sign in."""
    settings: Settings = request.app.state.settings
    held = request.cookies.get(cookie_name(settings), "")
    required = settings.token is not None
    return Session(required=required, signed_in=not required or is_session(settings, held))


@router.post("/session", status_code=204, response_class=Response)
async def sign_in(body: SignIn, request: Request) -> Response:
    """Signs a browser in."""
    settings: Settings = request.app.state.settings
    if settings.token is not None and not is_token(settings, body.token.get_secret_value()):
        await asyncio.sleep(PAUSE)
        raise RefusedError("this is not the token", do="ask whoever runs the server")
    answer = Response(status_code=204)
    if settings.token is not None:
        answer.set_cookie(
            cookie_name(settings),
            new_session(settings),
            max_age=SESSION,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
    return answer


@router.delete("/session", status_code=204, response_class=Response)
def sign_out(request: Request) -> Response:
    """Signs a browser out."""
    answer = Response(status_code=204)
    answer.delete_cookie(cookie_name(request.app.state.settings))
    return answer
