"""The partner's guide says what the code does: its subscriber is the tested one, its codes and tables are ours."""

import re
from pathlib import Path

from safeguarding.v1.partner_pb2 import Copy, Reply
from services.chassis.sealing import copy_info, reply_info
from services.partner_routing.copies import RIGHT
from services.partner_routing.domain.replies import MOST_REFUSED, MOST_SPOKEN

ROOT = Path(__file__).resolve().parents[3]
GUIDE = (ROOT / "docs" / "partners.md").read_text()


def table(heading: str) -> dict[str, str]:
    """The first two cells of each row of the first table under a heading that begins with this."""
    section = GUIDE.split(f"## {heading}", 1)[1].split("\n## ", 1)[0]
    rows = re.findall(r"^\| `(\w+)`[^|]*\| ([^|]+?) \|", section, flags=re.MULTILINE)
    return dict(rows)


def test_subscriber_shown_is_the_one_that_the_tests_run() -> None:
    [shown] = re.findall(r"```python\n(.*?)```", GUIDE, flags=re.DOTALL)

    assert shown == (ROOT / "deploy" / "partners" / "python" / "subscriber.py").read_text()


def test_subscribers_logic_is_ten_lines() -> None:
    source = (ROOT / "deploy" / "partners" / "python" / "subscriber.py").read_text()
    loop = source[source.index("\nfor record in records():") :].strip().splitlines()

    assert len([line for line in loop if line.strip() and not line.strip().startswith("#")]) <= 10


def test_every_step_and_every_content_is_named() -> None:
    contents = [field.name for field in Copy.DESCRIPTOR.oneofs_by_name["content"].fields]
    steps = [field.name for field in Reply.DESCRIPTOR.oneofs_by_name["step"].fields]

    assert set(contents) <= set(table("What you read"))
    assert list(table("What you answer")) == steps


def test_every_refusal_is_explained_as_it_is_sent() -> None:
    explained = {wrong: right.replace("`", "") for wrong, right in table("When an answer is refused").items()}

    assert explained == RIGHT


def test_how_much_a_partner_may_say_of_one_referral_is_what_the_code_takes() -> None:
    told = " ".join(GUIDE.split())

    assert f"After {MOST_SPOKEN:,} records of your doing about one referral" in told
    assert f"after {MOST_REFUSED:,} what is refused is not answered" in told


def test_what_binds_copies_and_replies_is_what_the_code_binds() -> None:
    assert f'info = "{copy_info("<your id>", "<leg_id>", "<event_id>")}"' in GUIDE
    assert f'info = "{reply_info("<your id>", "<leg_id>", "<reply_id>")}"' in GUIDE
