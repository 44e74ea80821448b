"""Wires partner-routing together; nothing else connects anything."""

from safeguarding.v1 import insight_pb2_grpc, procedure_pb2_grpc, routing_pb2_grpc
from safeguarding.v1.intake_pb2 import IntakeFact
from safeguarding.v1.triage_pb2 import TriageFact
from services import topics
from services.chassis.directory import BrokenEntry, Directory
from services.chassis.grpc_client import TlsFiles, channel
from services.chassis.grpc_server import Servicer
from services.chassis.keys import Keys
from services.chassis.service import Parts, Recipe, Service
from services.chassis.starting import area_files, begin
from services.partner_routing.api import RoutingApi
from services.partner_routing.area import Area, load_stated
from services.partner_routing.copies import RoutingCopier
from services.partner_routing.domain import ROUTING, RoutingDecider, State
from services.partner_routing.gather import Gatherer
from services.partner_routing.inbox import InboxApi
from services.partner_routing.insight import InsightApi
from services.partner_routing.procedures import ProceduresApi
from services.partner_routing.settings import Settings
from services.partner_routing.stream import ReplyReader


def main() -> None:
    """Run partner-routing until it is told to stop."""
    settings = begin(ROUTING, Settings)
    stated = area_files(ROUTING, settings.area, load_stated)
    try:
        area = Area(stated.now, Directory(settings.directory))
    except BrokenEntry as broken:
        raise SystemExit(f"{ROUTING} cannot start:\n{broken}") from None
    tls = TlsFiles(settings.tls_certificate, settings.tls_key, settings.tls_authority)
    keys = Keys(channel(settings.intake_address, tls), "copies")

    def servicers(parts: Parts[State]) -> list[Servicer]:
        return [
            (routing_pb2_grpc.add_RoutingServicer_to_server, RoutingApi(parts, area.snapshot, keys)),
            (insight_pb2_grpc.add_InsightServicer_to_server, InsightApi(parts, lambda: stated.now().areas)),
            (procedure_pb2_grpc.add_ProceduresServicer_to_server, ProceduresApi(parts, keys)),
            (routing_pb2_grpc.add_PartnerInboxServicer_to_server, InboxApi(parts, keys, area.snapshot)),
        ]

    gatherer = Gatherer(keys)
    recipe = Recipe(
        id=ROUTING,
        topic=topics.ROUTING,
        decider=RoutingDecider(),
        upstreams={topics.INTAKE.name: ("intake", IntakeFact), topics.TRIAGE.name: ("triage", TriageFact)},
        servicers=servicers,
        queried=("partners", "counted.quarter"),
        gather=gatherer.gather,
        early=gatherer.early,
        rules=area.snapshot,
        copier=RoutingCopier(),
        read_reply=ReplyReader(bytes.fromhex(settings.hpke_private_key.read_text().strip())),
    )
    Service(settings, recipe).run()


if __name__ == "__main__":
    main()
