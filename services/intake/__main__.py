"""Wires intake together; nothing else connects anything."""

from safeguarding.v1 import equality_pb2_grpc, intake_pb2_grpc
from safeguarding.v1.triage_pb2 import TriageFact
from services import topics
from services.chassis.grpc_server import Servicer
from services.chassis.sealing import KeyWrapper
from services.chassis.service import Parts, Recipe, Service
from services.chassis.starting import area_files, begin
from services.intake.api import IntakeApi, KeysApi, in_danger
from services.intake.area import load_area
from services.intake.domain import INTAKE, TRIAGE, IntakeDecider, State
from services.intake.equality import COLLECTION, Answers, EqualityApi
from services.intake.linking import Linker
from services.intake.protection import ProtectionApi
from services.intake.same_key import refuse_another_key
from services.intake.settings import Settings
from services.intake.views import Referrals
from services.intake.watched import WatchedApi, watch_of


def main() -> None:
    """Run intake until it is told to stop."""
    settings = begin(INTAKE, Settings)
    key_encryption_key = bytes.fromhex(settings.key_encryption_key.get_secret_value())
    wrapper = KeyWrapper(key_encryption_key)
    linking_key = bytes.fromhex(settings.linking_key.get_secret_value())
    linker = Linker(linking_key)
    area = area_files(INTAKE, settings.area, load_area)
    watch = watch_of(linking_key, settings.directory, lambda: area.now().well_known)

    def servicers(parts: Parts[State]) -> list[Servicer]:
        refuse_another_key(parts.collection, wrapper)
        answers = Answers(parts.collection.database[COLLECTION], key_encryption_key)
        answers.prepare()
        answers.forget_erased(parts.collection)
        return [
            (
                intake_pb2_grpc.add_IntakeServicer_to_server,
                IntakeApi(parts, wrapper, linker, lambda: area.now().codes),
            ),
            (intake_pb2_grpc.add_KeysServicer_to_server, KeysApi(parts, wrapper)),
            (intake_pb2_grpc.add_ProtectionServicer_to_server, ProtectionApi(parts, wrapper, linker, answers)),
            (
                equality_pb2_grpc.add_EqualityServicer_to_server,
                EqualityApi(parts, answers, lambda: area.now().codes),
            ),
            (
                intake_pb2_grpc.add_WatchedServicer_to_server,
                WatchedApi(Referrals(parts.collection), wrapper, watch),
            ),
        ]

    recipe = Recipe(
        id=INTAKE,
        topic=topics.INTAKE,
        decider=IntakeDecider(),
        upstreams={topics.TRIAGE.name: (TRIAGE, TriageFact)},
        servicers=servicers,
        queried=("erased",),
        unhurried=(topics.TRIAGE.name,),  # read for raisers who ask later, not while the copy is on its way
        checked_by_handler=("/safeguarding.v1.Intake/RaiseConcerns",),
        urgent=in_danger,
    )
    Service(settings, recipe).run()


if __name__ == "__main__":
    main()
