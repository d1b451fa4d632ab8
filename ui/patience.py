"""Connections that say nothing, or too slowly, are closed: each holds a file of the process."""

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADERS_WITHIN = 15.0
"""Seconds for the whole head of a request, and for the rest of a body that nobody reads."""


class PatientProtocol(H11Protocol):
    """uvicorn's HTTP protocol, which by itself waits for a request's head for ever."""

    _given_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._rest()
        super().connection_lost(exc)

    def _watch(self) -> None:
        state = self.conn.their_state
        answered = self.cycle is None or self.cycle.response_complete
        waiting = state is h11.IDLE or (state is h11.SEND_BODY and answered)
        if not waiting:
            self._rest()
        elif self._given_up is None:
            self._given_up = self.loop.call_later(HEADERS_WITHIN, self._give_up)

    def _rest(self) -> None:
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None

    def _give_up(self) -> None:
        self._given_up = None
        if not self.transport.is_closing():
            self.transport.close()
