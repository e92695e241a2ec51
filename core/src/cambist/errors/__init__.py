"""Every way this service says no, drawn as one tree.

    Refusal
    ├── Malformed              the request cannot be read
    ├── CallerRefused          the calling application is unknown, unproved or not allowed this
    ├── Unclaimed              no validator, or more than one, takes the credential
    ├── Rejected               the credential was judged, and is bad          ← plugins raise these
    ├── Denied                 the policy of the zone, or a bound it set, says no
    ├── Unavailable            it could not be judged: a dependency is down   ← and this
    └── Fault                  a bug, ours or a plugin's

A reason code is a promise: once published it keeps its meaning. The docstring of a class is its meaning in
the generated reference, `likely` the mistake that most often leads there, `hint` is what to try.
"""

from __future__ import annotations

from .caller import CallerMismatch as CallerMismatch
from .caller import CallerMissing as CallerMissing
from .caller import CallerRefused as CallerRefused
from .caller import CallerUnproved as CallerUnproved
from .caller import GrantNotAllowed as GrantNotAllowed
from .credential import AlgorithmRefused as AlgorithmRefused
from .credential import AudienceMismatch as AudienceMismatch
from .credential import AudienceMissing as AudienceMissing
from .credential import AudienceNotSole as AudienceNotSole
from .credential import ClaimMissing as ClaimMissing
from .credential import ClaimNotAccepted as ClaimNotAccepted
from .credential import ClusterAmbiguous as ClusterAmbiguous
from .credential import CredentialMalformed as CredentialMalformed
from .credential import CredentialTooLarge as CredentialTooLarge
from .credential import Expired as Expired
from .credential import IdentifierTooLong as IdentifierTooLong
from .credential import Inactive as Inactive
from .credential import KeyUnknown as KeyUnknown
from .credential import KindMismatch as KindMismatch
from .credential import LegacyToken as LegacyToken
from .credential import NonceMismatch as NonceMismatch
from .credential import NotYetValid as NotYetValid
from .credential import PartyMismatch as PartyMismatch
from .credential import PlatformToken as PlatformToken
from .credential import PossessionMissing as PossessionMissing
from .credential import ProposedChange as ProposedChange
from .credential import Rejected as Rejected
from .credential import Replayed as Replayed
from .credential import Revoked as Revoked
from .credential import SignatureInvalid as SignatureInvalid
from .credential import SubjectContradicted as SubjectContradicted
from .credential import TenantMismatch as TenantMismatch
from .credential import UserToken as UserToken
from .denied import ActorDenied as ActorDenied
from .denied import ChainRefused as ChainRefused
from .denied import Denied as Denied
from .denied import ScopeDenied as ScopeDenied
from .denied import TargetDenied as TargetDenied
from .denied import TokenTooLarge as TokenTooLarge
from .deprecation import CambistDeprecationWarning as CambistDeprecationWarning
from .failed import DeadlineExceeded as DeadlineExceeded
from .failed import Fault as Fault
from .failed import Overloaded as Overloaded
from .failed import PluginFault as PluginFault
from .failed import TooManyRequests as TooManyRequests
from .failed import Unavailable as Unavailable
from .malformed import BodyTooLarge as BodyTooLarge
from .malformed import FramingUnsound as FramingUnsound
from .malformed import GrantTypeUnsupported as GrantTypeUnsupported
from .malformed import HeadTooLarge as HeadTooLarge
from .malformed import LifetimeAboveCap as LifetimeAboveCap
from .malformed import Malformed as Malformed
from .malformed import MediaTypeUnsupported as MediaTypeUnsupported
from .malformed import MethodNotAllowed as MethodNotAllowed
from .malformed import NotArrived as NotArrived
from .malformed import ParameterInvalid as ParameterInvalid
from .malformed import ParameterMissing as ParameterMissing
from .malformed import ParameterRepeated as ParameterRepeated
from .malformed import ParameterUnsupported as ParameterUnsupported
from .malformed import PathUnknown as PathUnknown
from .malformed import ResponseTypeUnsupported as ResponseTypeUnsupported
from .malformed import ScopeMalformed as ScopeMalformed
from .malformed import TargetInvalid as TargetInvalid
from .malformed import TargetMissing as TargetMissing
from .malformed import TokenTypeNotEnabled as TokenTypeNotEnabled
from .malformed import TokenTypeUnknown as TokenTypeUnknown
from .malformed import ZoneUnknown as ZoneUnknown
from .refusal import Refusal as Refusal
from .shut import DidNotStart as DidNotStart
from .unclaimed import Ambiguous as Ambiguous
from .unclaimed import IssuerNotTrusted as IssuerNotTrusted
from .unclaimed import Unclaimed as Unclaimed
