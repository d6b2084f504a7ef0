"""Make the TLS context of a connection, and say in one sentence why one could not be made.

Only the cluster's own authority is trusted where one is given, and as in Go any certificate in it may end the chain.
Python reads client certificates from files only, so those of a kubeconfig's `-data` pass through a private one.
"""

import errno
import os
import socket
import ssl
from typing import NoReturn

from roost.client.target import ConnectionInfo, Pem, Tls, parse_address
from roost.errors import ConfigError, Unreachable

_OTHER_NAME = {62, 63, 64}
_NOT_YET_VALID = 9
_EXPIRED = 10


def context(tls: Tls) -> ssl.SSLContext:
    """Make the context that verifies the server and shows our certificate; raises ConfigError for a bad PEM."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    if not tls.verify:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    elif tls.authority is None:
        made.load_default_certs()
    else:
        _trust(made, tls.authority)
    if tls.certificate is not None and tls.key is not None:
        _show(made, tls.certificate, tls.key)
    return made


def _trust(made: ssl.SSLContext, authority: Pem) -> None:
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        made.load_verify_locations(cadata=read(authority))
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"{authority.name} is not a PEM certificate: {_reason(error)}") from error


def _show(made: ssl.SSLContext, certificate: Pem, key: Pem) -> None:
    import tempfile

    with tempfile.TemporaryDirectory(prefix="roost-") as folder:
        try:
            made.load_cert_chain(
                _as_file(certificate, folder, "crt"), _as_file(key, folder, "key"), password=_no_password
            )
        except ssl.SSLError as error:
            raise ConfigError(f"{certificate.name} and its key are not a PEM pair: {_reason(error)}") from error


def _as_file(pem: Pem, folder: str, name: str) -> str:
    path = os.path.join(folder, name)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(read(pem))
    return path


def _no_password() -> NoReturn:
    raise ConfigError("the client-key in the kubeconfig is encrypted; decrypt it (openssl pkey -in KEY -out KEY)")


def read(pem: Pem) -> str:
    """Return the PEM text, from its file if that is where it is."""
    if not pem.path:
        return pem.text
    try:
        with open(pem.path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {pem.name}: {pem.path}: {_reason(error)}") from error


def unreachable(error: OSError, info: ConnectionInfo) -> Unreachable:
    """Say why no connection could be made, and what to look at."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unreachable(_untrusted(error, info))
    if isinstance(error, ssl.SSLError):
        return Unreachable(_no_tls(error, info))
    return Unreachable(
        f"cannot reach {info.server}: {_network(error, info)}; "
        f"is the API server running, and is the address in {info.origin} right?"
    )


def reason(error: OSError, info: ConnectionInfo) -> str:
    """Say why no connection could be made, without advice."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted ({error.verify_message})"
    return f"no TLS connection: {_reason(error)}" if isinstance(error, ssl.SSLError) else _network(error, info)


def _untrusted(error: ssl.SSLCertVerificationError, info: ConnectionInfo) -> str:
    subject, why = f"the certificate of {info.server}", error.verify_message
    if error.verify_code in _OTHER_NAME:
        return f"{subject} is for other names ({why}); correct the server or tls-server-name in {info.origin}"
    if error.verify_code == _EXPIRED:
        return f"{subject} has expired; renew it, or correct this machine's clock"
    if error.verify_code == _NOT_YET_VALID:
        return f"{subject} is not valid yet; correct this machine's clock or the server's"
    if info.tls.authority is None:
        return f"{subject} is not trusted by this machine ({why}); name its certificate-authority in a kubeconfig"
    return f"{subject} is not trusted by {info.tls.authority.name} ({why})"


def _no_tls(error: ssl.SSLError, info: ConnectionInfo) -> str:
    if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return f"{info.server} does not speak TLS; if it is kubectl proxy, write http:// in {info.origin}"
    return f"no TLS connection with {info.server}: {_reason(error)}; check the certificates in {info.origin}"


def _network(error: OSError, info: ConnectionInfo) -> str:
    if isinstance(error, socket.gaierror):
        return f"host {parse_address(info.server).host!r} is unknown"
    if isinstance(error, ConnectionRefusedError) or f"Errno {errno.ECONNREFUSED}]" in str(error):
        return "connection refused"
    if isinstance(error, TimeoutError):
        return str(error) or "no answer in time"
    return os.strerror(error.errno).lower() if error.errno and error.errno in errno.errorcode else str(error)


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
    return str(reason).replace("_", " ").lower()
