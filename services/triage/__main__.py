"""Wires triage together; nothing else connects anything."""

from safeguarding.v1 import triage_pb2_grpc
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.routing_pb2 import RoutingFact
from services import topics
from services.chassis.grpc_client import TlsFiles, channel
from services.chassis.grpc_server import Servicer
from services.chassis.keys import Keys
from services.chassis.service import Parts, Recipe, Service
from services.chassis.starting import area_files, begin, connect_store
from services.triage.api import TriageApi
from services.triage.area import load_area
from services.triage.domain import INTAKE, ROUTING, TRIAGE, State, TriageDecider
from services.triage.gather import Gatherer
from services.triage.index import COLLECTION, Index, MongoBuckets
from services.triage.indexing import Indexing
from services.triage.settings import Settings
from services.triage.views import Referrals


def main() -> None:
    """Run triage until it is told to stop."""
    settings = begin(TRIAGE, Settings)
    area = area_files(TRIAGE, settings.area, load_area)
    tls = TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_authority)
    keys = Keys(channel(settings.intake_address, tls), "triage")
    store = connect_store(settings)[settings.mongo_database]
    index_key = bytes.fromhex(settings.index_key.get_secret_value())
    buckets = MongoBuckets(store[COLLECTION])
    index = Index(buckets, index_key)
    Indexing(store, buckets, index, index_key, keys).wait_until_made()

    def servicers(parts: Parts[State]) -> list[Servicer]:
        return [(triage_pb2_grpc.add_TriageServicer_to_server, TriageApi(parts, keys))]

    recipe = Recipe(
        id=TRIAGE,
        topic=topics.TRIAGE,
        decider=TriageDecider(),
        upstreams={topics.INTAKE.name: (INTAKE, IntakeFact), topics.ROUTING.name: (ROUTING, RoutingFact)},
        servicers=servicers,
        unhurried=(topics.ROUTING.name,),  # what became of legs is shown at the desk, and decides nothing in haste
        queried=("waiting",),
        gather=Gatherer(keys, index, Referrals(store["referrals"])).gather,
        rules=area.now,
    )
    Service(settings, recipe).run()


if __name__ == "__main__":
    main()
