"""When a transfer is tried again, and when it is given up."""

from dataclasses import dataclass


@dataclass(frozen=True)
class RetryPolicy:
    """The limits of a transfer from one source; times in seconds.

    One request: ``connect_timeout`` is for each address of the host and for the TLS handshake,
    ``answer_timeout`` for everything until the header of the response is complete, with name
    resolution, proxy and redirects. Silence of ``read_timeout`` is a stall, and so are fewer than
    ``least_rate`` bytes of the file per second, averaged over that time. Only bytes of the file
    count, not what is around them, such as headers, the extensions of chunks, and trailers.

    All requests: the source is given up after ``attempts`` in a row without progress (1 MiB, or a
    sixteenth of the file), or after as many in all that had to start from zero; at once if the host
    could not be reached at all; ``stall_timeout`` after it last sent at ``least_rate``, with the
    waits; and after ``total_timeout``. The wait between attempts starts at ``backoff`` and doubles;
    a server's Retry-After is used instead, up to ``longest_wait``.

    ``largest`` is how many bytes a file may have, ``largest_header`` those of a response's header.
    """

    connect_timeout: float = 10.0
    read_timeout: float = 30.0
    answer_timeout: float = 30.0
    stall_timeout: float = 75.0
    total_timeout: float = 7 * 86400.0
    attempts: int = 4
    backoff: float = 1.0
    longest_wait: float = 60.0
    least_rate: float = 1024.0
    largest: int = 8 << 30  # ten times the largest published file
    largest_header: int = 1 << 20


RETRY_POLICY = RetryPolicy()
