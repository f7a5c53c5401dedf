"""What concerns a tenant as a whole: its mode, and campaigns for many customers."""

from recfleet.serving.tenant._campaigns import MEDIA_TYPES, AskedCampaign, Campaigns
from recfleet.serving.tenant._modes import AskedMode, Modes

__all__ = ["MEDIA_TYPES", "AskedCampaign", "AskedMode", "Campaigns", "Modes"]
