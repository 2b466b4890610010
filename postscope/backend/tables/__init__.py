"""The tables, a module a noun. Vectors live in the store; these rows are the truth about everything else."""

from postscope.backend.tables.access import ApiKey
from postscope.backend.tables.audit import AuditEntry
from postscope.backend.tables.banks import Bank, BankChange, BankEntry, BankSignal, BankVector
from postscope.backend.tables.base import Base
from postscope.backend.tables.duplicates import DuplicateGroup, DuplicateMember, DuplicatePair
from postscope.backend.tables.fingerprints import Fingerprinted, FingerprintRow
from postscope.backend.tables.heads import Head, HeadDrift, HeadScore, HeadVersion
from postscope.backend.tables.imports import ImportRun
from postscope.backend.tables.media_parts import LooseBlob, MediaFrame, MediaPart, MediaText
from postscope.backend.tables.moderation import (
    ActionRule,
    ActionTaken,
    BankDecision,
    BankMatch,
    PostCheck,
    ReviewItem,
)
from postscope.backend.tables.posts import Media, Post, Upload, spoken_language
from postscope.backend.tables.runs import Run
from postscope.backend.tables.searches import SearchPage
from postscope.backend.tables.spaces import SpaceRow
from postscope.backend.tables.tags import (
    Label,
    LabelSet,
    PostTag,
    Taxonomy,
    TaxonomyExample,
    TaxonomyLabel,
    TaxonomyReport,
    TaxonomyVectors,
    TaxonomyVersion,
)
from postscope.backend.tables.topics import (
    Topic,
    TopicEdit,
    TopicEditPost,
    TopicExclusion,
    TopicLanguage,
    TopicLayout,
    TopicLineage,
    TopicMember,
)
from postscope.backend.tables.trends import Alert, PostSentiment
from postscope.backend.tables.webhooks import Webhook, WebhookDelivery
from postscope.backend.tables.work import Work

__all__ = [
    "ActionRule",
    "ActionTaken",
    "Alert",
    "ApiKey",
    "AuditEntry",
    "Bank",
    "BankChange",
    "BankDecision",
    "BankEntry",
    "BankMatch",
    "BankSignal",
    "BankVector",
    "Base",
    "DuplicateGroup",
    "DuplicateMember",
    "DuplicatePair",
    "FingerprintRow",
    "Fingerprinted",
    "Head",
    "HeadDrift",
    "HeadScore",
    "HeadVersion",
    "ImportRun",
    "Label",
    "LabelSet",
    "LooseBlob",
    "Media",
    "MediaFrame",
    "MediaPart",
    "MediaText",
    "Post",
    "PostCheck",
    "PostSentiment",
    "PostTag",
    "ReviewItem",
    "Run",
    "SearchPage",
    "SpaceRow",
    "Taxonomy",
    "TaxonomyExample",
    "TaxonomyLabel",
    "TaxonomyReport",
    "TaxonomyVectors",
    "TaxonomyVersion",
    "Topic",
    "TopicEdit",
    "TopicEditPost",
    "TopicExclusion",
    "TopicLanguage",
    "TopicLayout",
    "TopicLineage",
    "TopicMember",
    "Upload",
    "Webhook",
    "WebhookDelivery",
    "Work",
    "spoken_language",
]
