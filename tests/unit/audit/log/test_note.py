"""Signed notes: the examples of the specifications and of golang.org/x/mod, and what must be refused."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from services.audit.log.checkpoint import Checkpoint, Tree, open_checkpoint
from services.audit.log.note import Cosigner, Note, NoteRefused, Signer, Verifier, add_signatures, open_note, sign
from tests.unit.audit.log.support import NAME, SIGNER, VERIFIER

# c2sp.org/signed-note, "Example"
SPEC_VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()
# golang.org/x/mod/sumdb/note, its tests
PETER_KEY = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
PETER = Verifier.parse("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
ENOCH = Verifier.parse("EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop")
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)


def note(*lines: str, text: str = TEXT) -> bytes:
    return (text + "\n" + "".join(lines)).encode()


def opened_by(data: bytes, *verifiers: Verifier) -> Note:
    return open_note(data, verifiers)


def test_the_example_of_the_specification_verifies() -> None:
    assert opened_by(SPEC_NOTE, Verifier.parse(SPEC_VKEY)).text == "This is an example message.\n"


def test_a_signature_is_the_published_one() -> None:
    assert sign(TEXT, Signer.parse(PETER_KEY)) == note(PETER_LINE)


def test_keys_are_written_as_they_were_read() -> None:
    assert Signer.parse(PETER_KEY).secret() == PETER_KEY
    assert str(Verifier.parse(SPEC_VKEY)) == SPEC_VKEY
    assert Signer.parse(PETER_KEY).verifier == PETER


def test_signatures_of_unknown_keys_are_told_apart() -> None:
    opened = opened_by(note(PETER_LINE, ENOCH_LINE), PETER)

    assert [found.name for found in opened.verified] == ["PeterNeumann"]
    assert [found.name for found in opened.unknown] == ["EnochRoot"]
    assert len(opened_by(note(PETER_LINE, ENOCH_LINE), PETER, ENOCH).verified) == 2


@pytest.mark.parametrize(
    "data",
    [
        TEXT.encode(),
        note(),
        note(PETER_LINE[:-1]),
        b"\x01" + note(PETER_LINE),
        b"\xff" + note(PETER_LINE),
        note(PETER_LINE.replace("PeterNeumann", "Bad Name")),
        note(PETER_LINE, "Unexpected line.\n"),
        note(*[PETER_LINE] * 101),
        note(ENOCH_LINE),
        note(PETER_LINE[:60] + "ABCD" + PETER_LINE[60:]),
        note(PETER_LINE.replace("nAM=", "nAN=")),  # the same signature but for bits that base64 leaves over
        note(PETER_LINE.replace("nAM=", "nAM")),
        note(PETER_LINE, text=TEXT.replace("answer", "Answer")),
    ],
    ids=range(13),
)
def test_what_peter_did_not_sign_is_refused(data: bytes) -> None:
    with pytest.raises(NoteRefused):
        opened_by(data, PETER)


def test_no_part_of_a_verifier_key_may_be_missing_or_changed() -> None:
    for start in range(len(SPEC_VKEY)):
        for end in range(start + 1, len(SPEC_VKEY) + 1):
            if end - start != len(SPEC_VKEY):
                with pytest.raises(ValueError, match="verifier key"):
                    Verifier.parse(SPEC_VKEY[start:end])
    for place, character in enumerate(SPEC_VKEY):
        changed = SPEC_VKEY[:place] + chr(ord(character) + 1) + SPEC_VKEY[place + 1 :]
        with pytest.raises(ValueError, match="verifier key"):
            Verifier.parse(changed)


@pytest.mark.parametrize(
    "vkey",
    [
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
    ],
)
def test_a_key_of_another_length_or_type_is_refused(vkey: str) -> None:
    with pytest.raises(ValueError, match="verifier key"):
        Verifier.parse(vkey)


def test_a_cosignature_is_as_the_specification_says() -> None:
    key = Ed25519PrivateKey.generate()
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    witness = Cosigner("witness.example.com/w1", key)

    made = witness.cosign(text, 1_679_315_147)

    assert made.signature[:8] == (1_679_315_147).to_bytes(8, "big")
    key.public_key().verify(made.signature[8:], b"cosignature/v1\ntime 1679315147\n" + text.encode())
    opened = opened_by(add_signatures(sign(text, SIGNER), [made]), VERIFIER, witness.verifier)
    assert [found.name for found in opened.verified] == [NAME, "witness.example.com/w1"]
    assert Verifier.parse(str(witness.verifier)) == witness.verifier


def test_a_cosignature_of_another_time_is_refused() -> None:
    witness = Cosigner("w.test.invalid", Ed25519PrivateKey.generate())
    made = witness.cosign("text\n", 5)
    moved = type(made)(made.name, made.key_id, (6).to_bytes(8, "big") + made.signature[8:])

    with pytest.raises(NoteRefused, match="not of this text"):
        opened_by(add_signatures(sign("text\n", SIGNER), [moved]), VERIFIER, witness.verifier)


@settings(deadline=None, max_examples=200)
@given(st.data())
def test_no_bit_of_a_checkpoint_can_be_changed(data: st.DataObject) -> None:
    signed = sign(Checkpoint(NAME, Tree(70_000, bytes(range(32)))).text(), SIGNER)
    bit = data.draw(st.integers(0, 8 * len(signed) - 1))
    changed = bytearray(signed)
    changed[bit // 8] ^= 1 << bit % 8

    assert open_checkpoint(signed, VERIFIER)[0].tree.size == 70_000
    with pytest.raises(NoteRefused):
        open_checkpoint(bytes(changed), VERIFIER)


@pytest.mark.parametrize(
    "text",
    [
        f"{NAME}\n01\n{'A' * 43}=\n",
        f"{NAME}\n1\n{'A' * 40}\n",
        f"{NAME}\n1\nAAAA!\n",
        f"{NAME}\n1\n{'A' * 42}B=\n",
        f"{NAME}\n-1\n{'A' * 43}=\n",
        f"{NAME}\n1\n{'A' * 43}=\nextension\n",
        f"other.test.invalid\n1\n{'A' * 43}=\n",
        f"{NAME}\n1\n",
    ],
    ids=range(8),
)
def test_a_signed_text_that_is_no_checkpoint_of_this_log_is_refused(text: str) -> None:
    with pytest.raises(NoteRefused):
        open_checkpoint(sign(text, SIGNER), VERIFIER)


def test_a_text_that_no_note_may_have_is_not_signed() -> None:
    for text in ("no newline", "control\x07\n", ""):
        with pytest.raises(ValueError, match="newline"):
            sign(text, SIGNER)


def test_a_signing_key_is_never_in_its_error() -> None:
    secret = PETER_KEY[:-4] + "AAAA"
    with pytest.raises(ValueError, match="signing key") as raised:
        Signer.parse(secret)
    assert secret[-40:] not in str(raised.value)
