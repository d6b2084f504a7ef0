"""The TLS context of a server, from files that may be renewed while it runs.

Certificates are mounted from secrets, and something else renews them. So each handshake looks whether the files have
changed, which costs a few microseconds beside its millisecond, and goes on with the new ones. While the new files
cannot be used, as in the middle of a renewal, the old certificates serve on.

    handshake ──> has a file changed? ── no ──> the context of last time
                                       └ yes ──> a new context, or one warning and the context of last time
"""

import logging
import os
import ssl
from typing import NoReturn

from msgspec import Struct

from roost.errors import ConfigError

CERT_OPTION = "--tls-cert-file"
KEY_OPTION = "--tls-private-key-file"
CLIENT_CA_OPTION = "--client-ca-file"

log = logging.getLogger("roost.extender")

_Stamp = tuple[tuple[int, int, int] | None, ...]


class _Files(Struct, frozen=True):
    cert: str
    key: str
    client_ca: str | None

    def stamp(self) -> _Stamp:
        """Return what changes when a file does."""
        return tuple(_stamp_of(path) for path in (self.cert, self.key, self.client_ca) if path is not None)


def server_context(cert_file: str, key_file: str, client_ca_file: str | None = None) -> ssl.SSLContext:
    """Return a context for servers, TLS 1.2 or newer, that follows changes of its files.

    With `client_ca_file` clients must show a certificate that one of these authorities has signed. Raises ConfigError
    that begins with the option of the file that cannot be used.
    """
    files = _Files(cert_file, key_file, client_ca_file)
    reloader = CertificateReloader(files)
    reloader.current.sni_callback = reloader.choose  # asked in each handshake, also of clients that name no server
    return reloader.current


class CertificateReloader:
    """Keeps the context of the files as they are now."""

    def __init__(self, files: _Files) -> None:
        self._files = files
        self._stamp = files.stamp()
        self.current = _load(files)

    def choose(self, connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, context: ssl.SSLContext) -> None:
        """Let a connection whose handshake begins use the current certificates."""
        self.look()
        if self.current is not context:
            connection.context = self.current

    def look(self) -> None:
        """Read the files again if they have changed; what cannot be used is told once, and not used."""
        stamp = self._files.stamp()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self.current = _load(self._files)
        except ConfigError as error:
            log.warning("%s; the certificate in use until now stays", error)
        else:
            log.info("the TLS certificate was read again from %s", self._files.cert)


def _load(files: _Files) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _check_is_pem(CERT_OPTION, files.cert, "CERTIFICATE")
    _check_is_pem(KEY_OPTION, files.key, "PRIVATE KEY")
    try:
        context.load_cert_chain(files.cert, files.key, password=lambda: _no_password(files.key))
    except ssl.SSLError as error:
        raise ConfigError(_no_pair(files, error)) from error
    except OSError as error:
        raise ConfigError(f"{CERT_OPTION}: cannot read {files.cert} or {files.key}: {_reason(error)}") from error
    if files.client_ca is not None:
        _require_clients_of(context, files.client_ca)
    return context


def _require_clients_of(context: ssl.SSLContext, path: str) -> None:
    text = _check_is_pem(CLIENT_CA_OPTION, path, "CERTIFICATE")
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(_not_pem(CLIENT_CA_OPTION, path, "CERTIFICATE")) from error
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.verify_mode = ssl.CERT_REQUIRED


def _no_pair(files: _Files, error: ssl.SSLError) -> str:
    if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
        return (
            f"{KEY_OPTION}: the key in {files.key} does not belong to the certificate in {files.cert} ({CERT_OPTION})"
        )
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(files.cert)
    except ssl.SSLError:
        return _not_pem(CERT_OPTION, files.cert, "CERTIFICATE")
    if error.reason in (None, "PEM_LIB", "NO_START_LINE") or error.library != "SSL":
        return _not_pem(KEY_OPTION, files.key, "PRIVATE KEY")
    return f"{CERT_OPTION}: the certificate in {files.cert} cannot be used: {_reason(error)}"


def _check_is_pem(option: str, path: str, kind: str) -> str:
    """Return the text of a file that at least looks like what the option wants; raises ConfigError."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError as error:
        raise ConfigError(f"{option}: cannot read {path}: {_reason(error)}") from error
    if "-----BEGIN " not in text or f"{kind}-----" not in text:
        raise ConfigError(_not_pem(option, path, kind))
    return text


def _not_pem(option: str, path: str, kind: str) -> str:
    return f"{option}: {path} is not a {kind.lower()} in PEM form (-----BEGIN {kind}-----)"


def _no_password(path: str) -> NoReturn:
    raise ConfigError(f"{KEY_OPTION}: the key in {path} is encrypted; decrypt it (openssl pkey -in {path} -out NEW)")


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return str(error.reason or error).replace("_", " ").lower()
    return os.strerror(error.errno).lower() if error.errno else str(error)


def _stamp_of(path: str) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
