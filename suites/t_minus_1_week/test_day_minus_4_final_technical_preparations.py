"""Day -4: Final Technical Preparations (DevOps Lead)."""

from __future__ import annotations

from golive.deliverables import Deliverables
from golive.items import derived
from golive.launch import Limits

# -- Deliverables ------------------------------------------------------------------------------


@derived("D-4.D.1")
def test_the_production_environment_report_is_whole_true_and_signed(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-4.1 with how much of each limit is used, made into the report and
    compared with it and with the environment's fingerprint now; the signature.

    Remedy: run what is missing, too old or red; after any change of the environment read the
    document again and sign it.
    """
    document = deliverables.of("D-4.D.1", "production-environment-final-report", ("D-4.1",))
    rest = ("digests of the live configuration, now and in the report",)
    for claim in document.claims(max_age_h=limits.documents.environment_age_h, not_judged=rest):
        assert claim


@derived("D-4.D.2")
def test_the_deployment_is_confirmed_ready(deliverables: Deliverables, limits: Limits) -> None:
    """The newest verdicts of D-4.2, D-4.3.3 and D-6.D.3, all on this candidate, made into the
    confirmation and compared with it; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    kind = "deployment-readiness-confirmation"
    document = deliverables.of("D-4.D.2", kind, ("D-4.2", "D-4.3.3", "D-6.D.3"))
    rest = (
        "deploy and rollback scripts with the digests that were drilled",
        "deploy under 30 min and rollback under 15",
        "no commit to the release branch since the drills",
    )
    for claim in document.claims(max_age_h=limits.documents.alignment_age_h, not_judged=rest):
        assert claim


@derived("D-4.D.3")
def test_backup_and_recovery_are_validated_end_to_end(
    deliverables: Deliverables, limits: Limits
) -> None:
    """The newest verdicts of D-4.3.1, D-4.3.2, D-4.3.4 and D-6.2.5, made into the validation and
    compared with it; the signature.

    Remedy: run what is missing, too old or red; read the document again and sign it.
    """
    kind = "backup-and-recovery-validation"
    document = deliverables.of("D-4.D.3", kind, ("D-4.3.1", "D-4.3.2", "D-4.3.4", "D-6.2.5"))
    rest = (
        "the backup of D-4.3.1 restored in D-4.3.2 and still in both regions",
        "recovery under 30 min, at most 5 min lost",
    )
    for claim in document.claims(max_age_h=limits.documents.alignment_age_h, not_judged=rest):
        assert claim
