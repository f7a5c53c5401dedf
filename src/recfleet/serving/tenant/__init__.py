"""What concerns a tenant as a whole: its mode, campaigns, and what came of answers."""

from recfleet.serving.tenant._campaigns import MEDIA_TYPES, AskedCampaign, Campaigns
from recfleet.serving.tenant._insights import AskedInsights, Insights
from recfleet.serving.tenant._modes import AskedMode, Modes

__all__ = [
    "MEDIA_TYPES",
    "AskedCampaign",
    "AskedInsights",
    "AskedMode",
    "Campaigns",
    "Insights",
    "Modes",
]
