"""Logging in and out: the page for it, and who is asking."""

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from backend.errors import StoreError
from backend.store.logins import LASTS
from ui.access import Heard
from ui.login import Door, Refused
from ui.login_page import POLICY, page
from ui.who import asking


class Credentials(BaseModel):
    """A name and its password."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    password: Annotated[str, Field(min_length=1, max_length=2000)]


class NewPassword(BaseModel):
    """The password that somebody has, and the one that they want."""

    old: Annotated[str, Field(min_length=1, max_length=2000)]
    new: Annotated[str, Field(min_length=1, max_length=2000)]


def router(door: Door) -> APIRouter:
    """GET /tagmask/login and /tagmask/api/me; POST /tagmask/api/login, /logout and /password."""
    routes = APIRouter(prefix="/tagmask")

    def given(request: Request, token: str, said: str) -> Response:
        answer = JSONResponse({"said": said})
        answer.set_cookie(
            door.cookie, token, max_age=int(LASTS), httponly=True, samesite="lax",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return answer

    @routes.get("/login")
    def login_page() -> Response:
        headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-store"}
        return HTMLResponse(page(), headers=headers)

    @routes.get("/api/me")
    def me() -> dict[str, Any]:
        """Who asks: a name and a role; no name where nobody has to log in."""
        who = asking.get()
        return {"name": who.name, "role": who.role, "how": who.how}

    @routes.post("/api/login")
    async def enter(request: Request, body: Credentials) -> Response:
        if not door.shut():
            raise StoreError("Nobody has to log in here; open the page.")
        heard = _heard(request)
        try:
            token = await door.enter(body.name, body.password, heard.address)
        except Refused as refused:
            return _refused(refused, 401)
        # Another login of this browser ends; what an attacker put there before never begins.
        if earlier := door.token(heard):
            await door.leave(earlier)
        return given(request, token, "You are logged in.")

    @routes.post("/api/password")
    async def change(request: Request, body: NewPassword) -> Response:
        """Another password for whoever is logged in; every other login of theirs ends."""
        try:
            token = await door.change(asking.get(), body.old, body.new, _heard(request).address)
        except Refused as refused:
            # Not 401, by which the page knows that a login has ended.
            return _refused(refused, 403)
        return given(request, token, "Your password is changed.")

    @routes.post("/api/logout")
    async def leave(request: Request) -> Response:
        if token := door.token(_heard(request)):
            await door.leave(token)
        answer = JSONResponse({"said": "You are logged out."})
        answer.delete_cookie(door.cookie, httponly=True, samesite="lax")
        # The browser forgets pictures and pages that it was told to keep for a year.
        answer.headers["Clear-Site-Data"] = '"cache"'
        return answer

    return routes


def _refused(refused: Refused, status: int) -> Response:
    headers = {"Retry-After": str(refused.wait)} if refused.wait else {}
    return JSONResponse({"error": refused.sentence}, 429 if refused.wait else status, headers)


def _heard(request: Request) -> Heard:
    heard = request.scope["tagmask.heard"]
    assert isinstance(heard, Heard)
    return heard
