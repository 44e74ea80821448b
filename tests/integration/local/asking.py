"""Asks the broker for one thing at a time, as any client may: bare requests, with no look at metadata before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from kafka.admin import KafkaAdminClient
from kafka.protocol.admin import (
    CreatePartitionsRequest,
    CreateTopicsRequest,
    DeleteGroupsRequest,
    DeleteRecordsRequest,
    DeleteTopicsRequest,
    DescribeAclsRequest,
    DescribeConfigsRequest,
    DescribeGroupsRequest,
    DescribeUserScramCredentialsRequest,
    IncrementalAlterConfigsRequest,
)
from kafka.protocol.consumer import (
    FetchRequest,
    JoinGroupRequest,
    ListOffsetsRequest,
    OffsetCommitRequest,
    OffsetFetchRequest,
)
from kafka.protocol.metadata import FindCoordinatorRequest, MetadataRequest
from kafka.protocol.producer import ProduceRequest
from kafka.record.default_records import DefaultRecordBatchBuilder

DENIED = frozenset({29, 30, 31, 53})
"""Topic, group, cluster and transactional id: authorization failed."""
TOPIC, LITERAL = 2, 3
WAIT_MS = 5_000
NOWHERE = "no-such-topic"


class Asker:
    """One principal's connection. Each method is True where the broker would do it, False where it refuses."""

    def __init__(self, login: Mapping[str, Any]) -> None:
        self._admin = KafkaAdminClient(**login, reconnect_backoff_max_ms=1000)

    def close(self) -> None:
        """End the connection."""
        self._admin.close()

    # -- topics ----------------------------------------------------------------------------------------------------

    def read(self, topic: str) -> bool:
        """Records of its first partition, named by name so that nothing else need be asked."""
        partition = FetchRequest.FetchTopic.FetchPartition(partition=0, fetch_offset=0, partition_max_bytes=1_000)
        topics = [FetchRequest.FetchTopic(topic=topic, partitions=[partition])]
        return self._may(FetchRequest(max_wait_ms=0, min_bytes=0, topics=topics, max_version=12))

    def write(self, topic: str) -> bool:
        """One record. Where it is allowed it is written."""
        data = ProduceRequest.TopicProduceData
        partition = data.PartitionProduceData(index=0, records=_one_record())
        topics = [data(name=topic, partition_data=[partition])]
        return self._may(ProduceRequest(acks=-1, timeout_ms=WAIT_MS, topic_data=topics, max_version=12))

    def describe(self, topic: str) -> bool:
        """That it exists, where it lies and how long it is."""
        asked = ListOffsetsRequest.ListOffsetsTopic
        partition = asked.ListOffsetsPartition(partition_index=0, timestamp=-1)
        topics = [asked(name=topic, partitions=[partition])]
        offsets = self._may(ListOffsetsRequest(replica_id=-1, isolation_level=0, topics=topics, max_version=9))
        named = [MetadataRequest.MetadataRequestTopic(name=topic)]
        metadata = self._may(MetadataRequest(topics=named, allow_auto_topic_creation=False, max_version=9))
        assert offsets == metadata, topic
        return offsets

    def delete(self, topic: str) -> bool:
        """Records up to the first, which deletes none, and the whole topic."""
        of = DeleteRecordsRequest.DeleteRecordsTopic
        partition = of.DeleteRecordsPartition(partition_index=0, offset=0)
        records = DeleteRecordsRequest(topics=[of(name=topic, partitions=[partition])], timeout_ms=WAIT_MS)
        whole = DeleteTopicsRequest(topic_names=[topic], timeout_ms=WAIT_MS, max_version=5)
        return self._may(records) or self._may(whole)

    def alter(self, topic: str) -> bool:
        """More partitions, and how long it is kept; both only tried."""
        more = CreatePartitionsRequest.CreatePartitionsTopic(name=topic, count=7, assignments=None)
        partitions = CreatePartitionsRequest(topics=[more], timeout_ms=WAIT_MS, validate_only=True)
        resource = IncrementalAlterConfigsRequest.AlterConfigsResource
        config = resource.AlterableConfig(name="retention.ms", config_operation=0, value="1")
        changed = resource(resource_type=TOPIC, resource_name=topic, configs=[config])
        configs = IncrementalAlterConfigsRequest(resources=[changed], validate_only=True)
        return self._may(partitions) or self._may(configs)

    def read_settings(self, topic: str) -> bool:
        """Its settings."""
        wanted = DescribeConfigsRequest.DescribeConfigsResource(
            resource_type=TOPIC, resource_name=topic, configuration_keys=None
        )
        return self._may(DescribeConfigsRequest(resources=[wanted]))

    # -- groups ----------------------------------------------------------------------------------------------------

    def use_group(self, group: str) -> bool:
        """Join it; what follows from a join is not waited for."""
        protocol = JoinGroupRequest.JoinGroupRequestProtocol(name="range", metadata=b"")
        join = JoinGroupRequest(
            group_id=group,
            session_timeout_ms=6_000,
            rebalance_timeout_ms=1_000,
            member_id="",
            protocol_type="consumer",
            protocols=[protocol],
            max_version=5,
        )
        return self._may(join)

    def move_group(self, group: str, topic: str) -> bool:
        """Commit an offset in its name."""
        of = OffsetCommitRequest.OffsetCommitRequestTopic
        partition = of.OffsetCommitRequestPartition(partition_index=0, committed_offset=0, committed_metadata="")
        topics = [of(name=topic, partitions=[partition])]
        return self._may(OffsetCommitRequest(group_id=group, member_id="", topics=topics, max_version=7))

    def see_group(self, group: str) -> bool:
        """Where it stands and who is in it."""
        fetched = self._may(OffsetFetchRequest(group_id=group, topics=None, max_version=7))
        described = self._may(DescribeGroupsRequest(groups=[group], max_version=4))
        found = self._may(FindCoordinatorRequest(key=group, key_type=0, max_version=3))
        assert fetched == described == found, group
        return fetched

    def delete_group(self, group: str) -> bool:
        """Delete it."""
        return self._may(DeleteGroupsRequest(groups_names=[group]))

    # -- the broker ------------------------------------------------------------------------------------------------

    def create_topic(self, name: str = NOWHERE) -> bool:
        """Make a topic; only tried."""
        wanted = CreateTopicsRequest.CreatableTopic(
            name=name, num_partitions=1, replication_factor=1, assignments=[], configs=[]
        )
        return self._may(CreateTopicsRequest(topics=[wanted], validate_only=True))

    def see_permissions(self) -> bool:
        """Who may do what."""
        return self._may(
            DescribeAclsRequest(
                resource_type_filter=1,
                resource_name_filter=None,
                pattern_type_filter=1,
                principal_filter=None,
                host_filter=None,
                operation=1,
                permission_type=1,
            )
        )

    def see_users(self) -> bool:
        """Which users there are. Kafka 4.3 gives no answer at all to who may not: ask only as an administrator."""
        return self._may(DescribeUserScramCredentialsRequest(users=None))

    def _may(self, request: Any) -> bool:
        answer = self._admin._manager.run(self._send, request)
        return not DENIED & set(_codes(answer.to_dict()))

    async def _send(self, request: Any) -> Any:
        node = self._admin._manager.least_loaded_node()
        return await self._admin._manager.send(request, node_id=node)


def _codes(answer: Any) -> Iterator[int]:
    """Every error code in an answer, however deep."""
    if isinstance(answer, Mapping):
        for name, value in answer.items():
            if name == "error_code":
                yield value
            else:
                yield from _codes(value)
    elif isinstance(answer, list | tuple):
        for each in answer:
            yield from _codes(each)


def _one_record() -> bytes:
    batch = DefaultRecordBatchBuilder(2, 0, False, -1, -1, -1, 1_000)
    batch.append(0, 1, b"k", b"v", [])
    return bytes(batch.build())
