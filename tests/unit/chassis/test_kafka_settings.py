"""Settings of Kafka clients: nothing in clear off loopback, and no unsafe default."""

import pytest

from services.chassis.kafka_settings import KafkaAccess, UnsafeKafka

SECRET = "not-for-logs"


def access(servers: str = "127.0.0.1:9092", security: str = "SASL_PLAINTEXT") -> KafkaAccess:
    return KafkaAccess(servers, "intake", SECRET, security)


@pytest.mark.parametrize("servers", ["127.0.0.1:9092", "localhost:9092,127.0.0.1:9093", "[::1]:9092"])
def test_plain_text_is_allowed_on_loopback(servers: str) -> None:
    assert access(servers).producer("intake-out")["security_protocol"] == "SASL_PLAINTEXT"


@pytest.mark.parametrize("servers", ["10.0.0.7:9092", "kafka:9092", "127.0.0.1:9092,kafka:9092"])
def test_plain_text_off_loopback_is_refused_and_says_what_is_right(servers: str) -> None:
    with pytest.raises(UnsafeKafka, match="use SASL_SSL"):
        access(servers)


@pytest.mark.parametrize("security", ["PLAINTEXT", "SSL", ""])
def test_a_connection_without_a_login_is_refused(security: str) -> None:
    with pytest.raises(UnsafeKafka, match="SASL_SSL"):
        access(security=security)


def test_an_empty_login_or_server_list_is_refused() -> None:
    with pytest.raises(UnsafeKafka, match="PASSWORD"):
        KafkaAccess("127.0.0.1:9092", "intake", "", "SASL_PLAINTEXT")
    with pytest.raises(UnsafeKafka, match="SERVERS"):
        access(" , ")


def test_the_password_is_in_no_representation() -> None:
    assert SECRET not in repr(access())


def test_every_kafka_python_client_comes_back_within_a_second_of_the_broker() -> None:
    clients = (access().producer("p"), access().consumer("c", "g"), access().admin("a"))

    assert {client["reconnect_backoff_max_ms"] for client in clients} == {1_000}


@pytest.mark.parametrize("made_for", ["producer", "batch_producer"])
def test_a_producer_waits_for_all_replicas_and_sends_once(made_for: str) -> None:
    settings = getattr(access(), made_for)("intake-out")

    assert (settings["acks"], settings["enable_idempotence"]) == ("all", True)


def test_kafka_python_makes_no_topics() -> None:
    assert access().producer("intake-out")["allow_auto_create_topics"] is False


@pytest.mark.parametrize("made_for", ["consumer", "aiokafka_consumer"])
def test_a_consumer_commits_only_when_told_and_starts_at_the_first_record(made_for: str) -> None:
    settings = getattr(access(), made_for)("intake-in", "intake")

    assert settings["enable_auto_commit"] is False
    assert settings["auto_offset_reset"] == "earliest"
    assert settings["group_id"] == "intake"


def test_over_tls_the_authority_is_checked_by_each_client() -> None:
    far = access("kafka:9092", "SASL_SSL")

    for settings in (far.aiokafka_consumer("intake-in", "intake"), far.batch_producer("intake-out")):
        assert settings["ssl_context"].check_hostname
