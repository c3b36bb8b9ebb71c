"""The environments that a launch is looked at in: model and loader."""

from __future__ import annotations

from golive.environments.loader import find as find
from golive.environments.loader import load as load
from golive.environments.loader import outline as outline
from golive.environments.loader import secrets_at_hand as secrets_at_hand
from golive.environments.model import Environment as Environment
from golive.environments.model import Outline as Outline
from golive.environments.model import TimeLimits as TimeLimits
from golive.probes.backup.section import Bucket as Bucket
from golive.probes.data.section import HotQuery as HotQuery
from golive.probes.data.section import IntegrityCheck as IntegrityCheck
from golive.probes.data.section import Node as Node
from golive.probes.data.section import Pooler as Pooler
from golive.probes.data.section import Postgres as Postgres
from golive.probes.data.section import RedisNode as RedisNode
from golive.probes.observe.section import BackupAlert as BackupAlert
from golive.probes.observe.section import Measure as Measure
from golive.probes.observe.section import WatchedIntegration as WatchedIntegration
from golive.probes.people.section import Compliance as Compliance
from golive.probes.people.section import People as People
from golive.probes.platform.section import AdminInterface as AdminInterface
from golive.probes.platform.section import Process as Process
from golive.probes.platform.section import SecretFile as SecretFile
from golive.probes.platform.section import SecurityGroup as SecurityGroup
from golive.probes.platform.section import Zone as Zone
from golive.probes.saas.section import Tracker as Tracker
from golive.probes.saas.section import TrackerLabels as TrackerLabels
from golive.probes.traffic.section import Account as Account
from golive.probes.traffic.section import EdgeNode as EdgeNode
from golive.probes.traffic.section import Paths as Paths
from golive.probes.traffic.section import TlsEndpoint as TlsEndpoint
from golive.probes.traffic.section import TlsNode as TlsNode
from golive.sections import Secret as Secret
