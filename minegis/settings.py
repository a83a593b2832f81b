"""Settings: everything that differs between machines comes from the environment; unsafe production is refused."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import django_stubs_ext
import environ
from csp.constants import NONCE, NONE, SELF, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from minegis.gdal import library_paths

django_stubs_ext.monkeypatch()  # lets classes such as QuerySet and ModelAdmin name their model in brackets

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# ---------------------------------------------------------------------------------------------------------------------
# Safety. Production (DEBUG unset) refuses to start without a real secret and host names.
# ---------------------------------------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env.str("SECRET_KEY", default="")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
# A private instance on one machine speaks plain HTTP on loopback; everybody else needs TLS in front.
HTTPS = env.bool("HTTPS", default=not DEBUG and bool(set(ALLOWED_HOSTS) - {"127.0.0.1", "localhost", "[::1]"}))
if not SECRET_KEY:
    if not DEBUG:
        raise ImproperlyConfigured("SECRET_KEY is not set. Set it, or DEBUG=1 on a developer's machine.")
    SECRET_KEY = "insecure-developer-key"  # reached with DEBUG only
if not DEBUG:
    if len(SECRET_KEY) < 32 or len(set(SECRET_KEY)) < 8:
        raise ImproperlyConfigured("SECRET_KEY is too weak: use at least 32 random characters.")
    if "*" in ALLOWED_HOSTS:
        raise ImproperlyConfigured("ALLOWED_HOSTS must name the hosts; '*' is refused outside DEBUG.")
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_SSL_REDIRECT = HTTPS and env.bool("SSL_REDIRECT", default=True)
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None
X_FRAME_OPTIONS = "DENY"
# Nothing is ever loaded from another host; inline style attributes are allowed because Leaflet positions its panes so.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, UNSAFE_INLINE],
        "img-src": [SELF, "data:", "blob:"],
        "connect-src": [SELF],
        "font-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "media-src": [SELF, "blob:"],  # live pictures that a script feeds to the player piece by piece
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Applications. Nothing else in minegis/ names landdamage or enhancement.
# ---------------------------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.gis",
    "django.contrib.humanize",
    "rest_framework",
    "rest_framework_gis",
    "django_filters",
    "knox",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "leaflet",
    "django_htmx",
    "csp",
    "minegis.apps.PlatformConfig",
    "minegis.access",
    "minegis.registry",
    "minegis.uploads",
    "minegis.jobs",
    "landdamage",
    "enhancement",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "minegis.access.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "minegis.problems.ProblemMiddleware",
]
ROOT_URLCONF = "minegis.urls"
WSGI_APPLICATION = "minegis.wsgi.application"
ASGI_APPLICATION = "minegis.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# Modules with URLs, mounted by minegis.urls in this order: (prefix, dotted module).
PAGE_URLCONFS = ["landdamage.pages.urls", "landdamage.api.features_urls", "enhancement.pages.urls"]
API_URLCONFS = ["landdamage.api.urls", "enhancement.api.urls"]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "frontend" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.debug",
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "minegis.access.context.permissions",
            ]
        },
    }
]

# ---------------------------------------------------------------------------------------------------------------------
# One GDAL: GeoDjango uses the library inside rasterio's wheel.
# ---------------------------------------------------------------------------------------------------------------------
_gdal, _geos = library_paths()
if _gdal and _geos:
    GDAL_LIBRARY_PATH, GEOS_LIBRARY_PATH = _gdal, _geos

# ---------------------------------------------------------------------------------------------------------------------
# PostgreSQL + PostGIS and Redis. A Unix socket folder is written %2Flike%2Fthis in the URL's host.
# ---------------------------------------------------------------------------------------------------------------------
DATABASES = {"default": env.db_url("DATABASE_URL", default="postgis:///minegis")}
DATABASES["default"]["ENGINE"] = "django.contrib.gis.db.backends.postgis"
DATABASES["default"]["HOST"] = unquote(DATABASES["default"].get("HOST") or "")
DATABASES["default"]["CONN_MAX_AGE"] = 60
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
REDIS_URL = env.str("REDIS_URL", default="redis://127.0.0.1:6379/0")
_celery_redis = REDIS_URL.replace("unix://", "redis+socket://", 1).replace("?db=", "?virtual_host=", 1)
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "minegis",
    }
}

# ---------------------------------------------------------------------------------------------------------------------
# Celery owns only delivery; the job row owns the truth.
# ---------------------------------------------------------------------------------------------------------------------
LONGEST_JOB_SECONDS = env.int("LONGEST_JOB_SECONDS", default=12 * 3600)
CELERY_BROKER_URL = _celery_redis
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 20
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Above the longest job, or Redis hands a running task to a second worker (which the fence would then turn away).
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": LONGEST_JOB_SECONDS + 3600}
CELERY_TASK_DEFAULT_QUEUE = "cpu"
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    # A message nobody took in time is dropped: the next one does the same work.
    "reap-lost-jobs": {"task": "minegis.jobs.tasks.reap", "schedule": 15.0, "options": {"expires": 15}},
    "tidy-work-folders": {"task": "minegis.jobs.tasks.tidy", "schedule": 3600.0},
    "expire-uploads": {"task": "minegis.uploads.tasks.expire", "schedule": 3600.0},
}
JOB_KINDS: dict[str, dict[str, Any]] = {
    "ingest": {
        "handler": "landdamage.tasks.ingest",
        "queue": "cpu",
        "on_end": "landdamage.services.scenes.ingest_job_ended",
        "on_retry": "landdamage.services.scenes.ingest_job_retried",
    },
    "interpret": {
        "handler": "landdamage.tasks.interpret",
        "queue": "gpu",
        "keeps_work": True,  # strips of hours: a retry goes on from them
        "shares_work": True,  # workers on other machines compute some of them
        "on_end": "landdamage.services.runs.run_job_ended",
        "on_retry": "landdamage.services.runs.run_job_retried",
    },
    "account": {"handler": "landdamage.tasks.account", "queue": "cpu"},
    "deliver": {"handler": "landdamage.tasks.deliver", "queue": "cpu"},
    "sample_set": {
        "handler": "landdamage.tasks.sample_set",
        "queue": "cpu",
        "on_end": "landdamage.services.sample_sets.sample_set_job_ended",
        "on_retry": "landdamage.services.sample_sets.sample_set_job_retried",
    },
    "label_plate": {
        "handler": "landdamage.tasks.label_plate",
        "queue": "cpu",
        "on_end": "landdamage.services.labelling.plate_job_ended",
        "on_retry": "landdamage.services.labelling.plate_job_retried",
    },
    "train": {
        "handler": "landdamage.tasks.train",
        "queue": "gpu",
        "on_end": "landdamage.services.trainings.training_job_ended",
        "on_retry": "landdamage.services.trainings.training_job_retried",
    },
    "compare": {
        "handler": "landdamage.tasks.compare",
        "queue": "gpu",
        "on_end": "landdamage.services.comparisons.comparison_job_ended",
        "on_retry": "landdamage.services.comparisons.comparison_job_retried",
    },
    "model_check": {"handler": "landdamage.tasks.model_check", "queue": "cpu"},
    "clip": {
        "handler": "enhancement.tasks.clip",
        "queue": "cpu",
        "on_end": "enhancement.services.clips.clip_job_ended",
        "on_retry": "enhancement.services.clips.clip_job_retried",
    },
    "live": {
        "handler": "enhancement.tasks.live",
        "queue": "live",
        "on_end": "enhancement.services.live.live_job_ended",
        "on_retry": "enhancement.services.live.live_job_retried",
    },
    "enhance": {
        "handler": "enhancement.tasks.enhance",
        "queue": "cpu",
        "on_end": "enhancement.services.enhancements.enhance_job_ended",
        "on_retry": "enhancement.services.enhancements.enhance_job_retried",
    },
    "enhance_night": {  # a network at work for minutes or hours: never before the checks of uploads
        "handler": "enhancement.tasks.enhance",
        "queue": "gpu",
        "keeps_work": True,
        "on_end": "enhancement.services.enhancements.enhance_job_ended",
        "on_retry": "enhancement.services.enhancements.enhance_job_retried",
    },
}
JOB_LEASE_SECONDS = env.int("JOB_LEASE_SECONDS", default=60)
JOB_MAX_ATTEMPTS = env.int("JOB_MAX_ATTEMPTS", default=3)

# Networks in which cameras may be, like 10.20.0.0/16,10.21.0.0/16; empty means anywhere. Only their streams are opened.
CAMERA_NETWORKS = [str(ip_network(network)) for network in env.list("CAMERA_NETWORKS", default=[])]

# What computes interpretations: auto (the fastest on the worker's machine), eager, onnxruntime or openvino.
INTERPRETATION_ENGINE = env.str("INTERPRETATION_ENGINE", default="auto")
# Scenes of more than one and a half blocks are shared out among idle gpu workers; equal on all machines.
INTERPRETATION_BLOCK_PIXELS = env.int("INTERPRETATION_BLOCK_PIXELS", default=1 << 24)

# ---------------------------------------------------------------------------------------------------------------------
# Storage. Originals and results are write-once files named by content; web servers never see these folders.
# ---------------------------------------------------------------------------------------------------------------------
STORAGE_ROOT = Path(env.str("MINEGIS_STORAGE", default=str(BASE_DIR / "var" / "storage")))
# s3://bucket/prefix: what several machines share lies there (docs/storage.md), and STORAGE_ROOT is each machine's own.
STORAGE_URL = env.str("STORAGE_URL", default="")
S3_ENDPOINT_URL = env.str("S3_ENDPOINT_URL", default="")
AWS_ACCESS_KEY_ID = env.str("AWS_ACCESS_KEY_ID", default="")
AWS_SECRET_ACCESS_KEY = env.str("AWS_SECRET_ACCESS_KEY", default="")
AWS_SESSION_TOKEN = env.str("AWS_SESSION_TOKEN", default="")
AWS_REGION = env.str("AWS_REGION", default="us-east-1")
S3_PATIENCE_SECONDS = env.float("S3_PATIENCE_SECONDS", default=60.0)  # a job bridges a gap of this length
STORAGE_CACHE_GB = env.float("STORAGE_CACHE_GB", default=100.0)  # local copies of what lies in the bucket
UPLOAD_MAX_BYTES = env.int("UPLOAD_MAX_BYTES", default=64 * 2**30)
UPLOAD_EXPIRY_HOURS = env.int("UPLOAD_EXPIRY_HOURS", default=7 * 24)
UPLOAD_KINDS = {  # what a finished file becomes: the right to send it, who takes it over; the first is the default
    "scene": {"action": "scene.upload", "completed": "landdamage.services.scenes.scene_receive"},
    "clip": {
        "action": "clip.upload",
        "expected": "enhancement.services.clips.clip_expected",
        "completed": "enhancement.services.clips.clip_receive",
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 20 * 2**20  # GeoJSON bodies; tus chunks are streamed and do not count
# Where scenes are expected (longitude/latitude west, south, east, north): Xinjiang. Others get a warning.
MONITORED_BOUNDS = tuple(env.list("MONITORED_BOUNDS", cast=float, default=[73.4, 34.3, 96.4, 49.2]))

# ---------------------------------------------------------------------------------------------------------------------
# People
# ---------------------------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "access.User"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend", "minegis.access.backend.RoleBackend"]
# Applications whose records administrators may look at.
ADMIN_MAY_SEE = ["registry", "uploads", "jobs", "landdamage", "enhancement"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "overview"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]

# ---------------------------------------------------------------------------------------------------------------------
# Languages. Clock: UTC in the database, Beijing time on the screen.
# ---------------------------------------------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Simplified Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "frontend" / "locale"]
USE_TZ = True
TIME_ZONE = "Asia/Shanghai"

# ---------------------------------------------------------------------------------------------------------------------
# Static files: built by Vite, committed, served by WhiteNoise
# ---------------------------------------------------------------------------------------------------------------------
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "var" / "static"
STATICFILES_DIRS = [BASE_DIR / "frontend" / "dist"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage" if DEBUG else "minegis.static.StaticStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
LEAFLET_CONFIG = {
    "TILES": [],
    "DEFAULT_CENTER": (43.0, 87.0),
    "DEFAULT_ZOOM": 9,
    "MIN_ZOOM": 3,
    "MAX_ZOOM": 20,
    "ATTRIBUTION_PREFIX": False,
    "RESET_VIEW": False,
}

# ---------------------------------------------------------------------------------------------------------------------
# API
# ---------------------------------------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "knox.auth.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_PAGINATION_CLASS": "minegis.pagination.PageNumberPagination",
    "DEFAULT_FILTER_BACKENDS": [
        "django_filters.rest_framework.DjangoFilterBackend",
        "rest_framework.filters.OrderingFilter",
    ],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.ScopedRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"login": "20/min"},
    "NUM_PROXIES": 1 if BEHIND_PROXY else 0,  # how much of X-Forwarded-For is not the client's own invention
    "EXCEPTION_HANDLER": "minegis.problems.exception_handler",
    "PAGE_SIZE": 50,
}
REST_KNOX = {"TOKEN_TTL": timedelta(days=30), "TOKEN_LIMIT_PER_USER": 10}
SPECTACULAR_SETTINGS = {
    "TITLE": "MineGIS API",
    "DESCRIPTION": "Land damage by mining: scenes, interpretation runs, patches, areas, jobs, uploads (tus 1.0).",
    "VERSION": "1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.IsAuthenticated"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "ENUM_NAME_OVERRIDES": {
        "WorkStateEnum": "minegis.jobs.models.Job.State",  # of jobs and of interpretation runs alike
        "SceneStateEnum": "landdamage.models.Scene.State",
        "EnhancementMethodEnum": "enhancement.models.Enhancement.Method",
        "EditionStateEnum": "landdamage.models.Edition.State",
        "SubsidenceStateEnum": "landdamage.models.Subsidence.State",
        "BookStateEnum": "landdamage.models.books.STATE_CODES",
        "ChangeKindEnum": "landdamage.models.ChangePiece.Kind",
        "DeliveryKindEnum": "landdamage.models.Delivery.Kind",
        "LabelPlateStateEnum": "landdamage.models.LabelPlate.State",
        "SampleSetStateEnum": "landdamage.models.SampleSet.State",
        "SampleSetKindEnum": "landdamage.models.SampleSet.Kind",
        "ModelStateEnum": "landdamage.models.TrainedModel.State",
        "ModelDeedEnum": "landdamage.models.ModelDeed.Kind",
        "ComparisonStateEnum": "landdamage.models.ModelComparison.State",
        "TrainingStateEnum": "landdamage.models.Training.State",
        "ClipStateEnum": "enhancement.models.Clip.State",
        "ClipKindEnum": "enhancement.models.Clip.Kind",
    },
}

# ---------------------------------------------------------------------------------------------------------------------
# Logs
# ---------------------------------------------------------------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "rasterio": {"level": "WARNING"},
        "pyogrio": {"level": "WARNING"},
        "numexpr": {"level": "WARNING"},
        "weasyprint": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
    },
}
