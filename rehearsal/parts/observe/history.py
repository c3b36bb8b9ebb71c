"""What Prometheus would have seen in the two weeks before the rehearsal began.

That the product was measured all the while, one outage with its alarm, and one alarm that had no
reason.

Setting of `prometheus` that a fault may override until it is started again: `false_alarms` (how
many more alarms without a reason a rule has had).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rehearsal.kernel.world import Rehearsal

DAYS = 14.3
"""A little more than is asked for, and less than what Prometheus keeps."""
EVERY_S, ALERTS_EVERY_S = 240, 60  # Prometheus forgets what is older than five minutes
ENDS_BEFORE_S = 900
"""Before the rehearsal, so that no window of five minutes takes it for something of now."""
_DAY_S = 86_400
_OUTAGE_DAYS, _OUTAGE_S = 6, 900
"""When, before the end, and for how long nothing answered."""
_FALSE_DAYS, _FALSE_S = 3, 600
APPS = ("app-1", "app-2")
_MEASURED = {
    "bookedbarber_http_request_duration_seconds_count": 'method="GET",route="/",status="200"',
    "bookedbarber_db_query_seconds_count": 'statement="before"',
    "bookedbarber_payments_total": 'outcome="succeeded"',
}


def lines(r: Rehearsal, ends: int) -> Iterator[str]:
    """The history in the OpenMetrics format."""
    yield from (f"{one}\n" for one in _samples(r, ends - ENDS_BEFORE_S))


def _samples(r: Rehearsal, end: int) -> Iterator[str]:
    start, down = int(end - DAYS * _DAY_S), end - _OUTAGE_DAYS * _DAY_S
    for at in range(start, end, EVERY_S):
        for app in APPS:
            up = int(not down <= at < down + _OUTAGE_S)
            yield f'up{{instance="{app}",job="app"}} {up} {at}'
            for metric, labels in _MEASURED.items():
                yield f'{metric}{{instance="{app}",job="app",{labels}}} 0 {at}'
        ends = end + 300 * _DAY_S
        yield (
            'certificate_not_after_timestamp_seconds{certificate="before",instance="exporter",'
            f'job="certificates"}} {ends} {at}'
        )
    yield from _alarm("ServiceDown", down + 300, down + _OUTAGE_S)
    reasonless = end - _FALSE_DAYS * _DAY_S
    yield from _alarm("PaymentFailuresHigh", reasonless, reasonless + _FALSE_S)
    for rule, count in r.setting("prometheus", "false_alarms", {}).items():
        for number in reversed(range(count)):  # promtool drops what is not in order
            began = end - (number + 1) * _DAY_S // 2
            yield from _alarm(rule, began, began + _FALSE_S)


def _alarm(rule: str, began: int, ended: int) -> Iterator[str]:
    for at in range(began, ended, ALERTS_EVERY_S):
        yield f'ALERTS{{alertname="{rule}",alertstate="firing"}} 1 {at}'
