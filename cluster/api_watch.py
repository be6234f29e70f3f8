"""A small client of the API server for the simulator: list, watch, patch a status. One thread for each kind watched."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_WATCH_S = 300
_TIMEOUT_S = _WATCH_S + 30
_AGAIN_AFTER_S = 1.0
_OK = 200


class Api:
    """The API server that a kubeconfig names."""

    def __init__(self, kubeconfig: Path) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        self._address = urlsplit(cluster["server"]).netloc
        self._tls = ssl.create_default_context(cafile=cluster["certificate-authority"])
        self._headers = {"Authorization": f"Bearer {config['users'][0]['user']['token']}"}
        self._local = threading.local()

    def patch(self, path: str, body: dict[str, Any]) -> None:
        """Merge `body` into the object at `path`, over a connection of this thread's own; says so when it can't."""
        headers = self._headers | {"Content-Type": "application/merge-patch+json"}
        for is_last in (False, True):
            connection = getattr(self._local, "connection", None) or self._connect()
            self._local.connection = connection
            try:
                connection.request("PATCH", path, json.dumps(body), headers)
                answer = connection.getresponse()
                text = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._local.connection = None  # the server closes what was idle for long; a new one is tried once
                if is_last:
                    print(f"PATCH {path}: {error}", flush=True)
                continue
            if answer.status not in (_OK, http.client.NOT_FOUND):
                print(f"PATCH {path}: {answer.status} {text[:200]!r}", flush=True)
            return

    def watch(self, path: str, see: Callable[[dict[str, Any], bool], None]) -> None:
        """Call ``see(object, gone)`` for each object at `path` and each change, for ever; returns at once."""
        threading.Thread(target=self._watch, args=(path, see), daemon=True).start()

    def _watch(self, path: str, see: Callable[[dict[str, Any], bool], None]) -> None:
        known: dict[str, dict[str, Any]] = {}
        while True:
            try:
                version = self._list(path, known, see)
                while version:
                    version = self._follow(path, version, known, see)
            except (OSError, http.client.HTTPException, ValueError) as error:
                print(f"watching {path}: {error}", flush=True)
            time.sleep(_AGAIN_AFTER_S)

    def _list(self, path: str, known: dict[str, Any], see: Callable[[dict[str, Any], bool], None]) -> str:
        answer = json.loads(self._get(path).read())
        now = {item["metadata"]["uid"]: item for item in answer["items"]}
        for uid in known.keys() - now.keys():
            see(known.pop(uid), True)  # noqa: FBT003 - the two arguments are explained in `watch`
        for uid, item in now.items():
            known[uid] = item
            see(item, False)  # noqa: FBT003 - as above
        return str(answer["metadata"]["resourceVersion"])

    def _follow(
        self, path: str, version: str, known: dict[str, Any], see: Callable[[dict[str, Any], bool], None]
    ) -> str:
        """Follow the changes after `version` until the stream ends; return where to go on, or "" to list anew."""
        mark = "&" if "?" in path else "?"
        stream = self._get(f"{path}{mark}watch=1&resourceVersion={version}&timeoutSeconds={_WATCH_S}")
        while line := stream.readline():
            event = json.loads(line)
            if event["type"] == "ERROR":  # the version is too old
                return ""
            item = event["object"]
            version = item["metadata"]["resourceVersion"]
            gone = event["type"] == "DELETED"
            known[item["metadata"]["uid"]] = item
            if gone:
                del known[item["metadata"]["uid"]]
            see(item, gone)
        return version

    def _get(self, path: str) -> http.client.HTTPResponse:
        connection = self._connect()
        connection.request("GET", path, headers=self._headers)
        answer = connection.getresponse()
        if answer.status != _OK:
            raise http.client.HTTPException(f"{answer.status} {answer.read()[:200]!r}")
        return answer

    def _connect(self) -> http.client.HTTPSConnection:
        return http.client.HTTPSConnection(self._address, context=self._tls, timeout=_TIMEOUT_S)
