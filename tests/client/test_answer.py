import pytest

from roost.client.answer import Answer, error_for
from roost.errors import (
    ApiError,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    OutcomeUnknown,
    TooManyRequests,
    Unauthorized,
)

FORBIDDEN = (
    b'{"kind":"Status","message":"pods is forbidden: User \\"me\\" cannot list pods","reason":"Forbidden","code":403}'
)
REFUSED = (
    "401: GET https://k/x was refused; https://k does not accept the credentials of the kubeconfig: "
    "log in again or correct them there"
)
MAY_NOT = '403: pods is forbidden: User "me" cannot list pods; grant it to the role in deploy/'
WAIT = b'{"kind":"Status","message":"come back","details":{"retryAfterSeconds":10}}'

ROWS = [
    (Answer(401), "GET", Unauthorized, REFUSED),
    (Answer(403, FORBIDDEN), "GET", Forbidden, MAY_NOT),
    (Answer(404, b"404 page not found\n"), "GET", NotFound, "404: 404 page not found"),
    (Answer(409, b'{"message":"pod is already assigned"}'), "POST", Conflict, "409: pod is already assigned"),
    (Answer(410, b'{"message":"too old"}'), "GET", Gone, "410: too old"),
    (Answer(429, WAIT), "POST", TooManyRequests, "429: come back"),
    (Answer(500, b'{"oops":'), "POST", ApiError, "500: POST https://k/x was refused"),
    (Answer(503, b"no"), "POST", ApiError, "503: no"),
    (Answer(503, b"no", "3"), "POST", TooManyRequests, "503: no"),
    (Answer(502, b"Bad Gateway"), "GET", ApiError, "502: Bad Gateway; is the API server behind this gateway running?"),
    (Answer(504, b"late"), "POST", OutcomeUnknown, "504: late; is the API server behind this gateway running?"),
    (Answer(302, b""), "GET", ApiError, "302: GET https://k/x was refused"),
    (Answer(400, b"<html>" + b"x" * 500), "GET", ApiError, "400: <html>" + "x" * 193 + "…"),
]  # fmt: skip


@pytest.mark.parametrize(("answer", "method", "error", "sentence"), ROWS, ids=[str(row[0].status) for row in ROWS])
def test_each_refusal_is_one_error_and_one_sentence(answer, method, error, sentence):
    made = error_for(answer, method, "/x", "https://k", "the kubeconfig")
    assert (type(made), str(made), made.status) == (error, sentence, answer.status)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (Answer(429, b"", "7"), 7.0),
        (Answer(429, WAIT), 10.0),
        (Answer(429, WAIT, "2"), 2.0),
        (Answer(429, b"", "Fri, 31 Dec 1999 23:59:59 GMT"), None),
        (Answer(429), None),
        (Answer(500, WAIT), 10.0),
    ],
)
def test_how_long_to_wait_comes_from_the_header_or_the_status(answer, seconds):
    assert error_for(answer, "POST", "/", "", "").retry_after == seconds
