"""All settings. Each can be set by an environment variable of the same name; none has to be."""

import logging
import os
from pathlib import Path
from typing import Any

import django_stubs_ext
import environ
from django.core.exceptions import ImproperlyConfigured
from kombu import Queue

from imagesite import timeouts
from imagesite.databases import database
from imagesite.secret_key import read_or_make

django_stubs_ext.monkeypatch()

# Requests and tasks use the cores already; threads inside one matrix product would only fight over them.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# One folder for everything that must outlive a process.
DATA = Path(env.str("IMAGESITE_DATA", "") or BASE_DIR / "var").resolve()

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", "") or read_or_make(DATA / "secret_key")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# Who may do what: True lets anyone look and search; writing always needs permission.
PUBLIC_READING = env.bool("PUBLIC_READING", True)
SHOW_GPS = env.bool("SHOW_GPS", False)

# Limits of one picture.
MAX_IMAGE_BYTES = env.int("MAX_IMAGE_BYTES", 50_000_000)
MAX_IMAGE_PIXELS = env.int("MAX_IMAGE_PIXELS", 120_000_000)
MAX_IMAGE_FRAMES = env.int("MAX_IMAGE_FRAMES", 1_000)
UPLOADS_AT_ONCE = env.int("UPLOADS_AT_ONCE", 4)  # pictures that a web process takes in; half of its threads
DECODING_MEMORY = env.int("DECODING_MEMORY", 900_000_000)  # bytes for all pictures that a process decodes at once
FETCH_TIMEOUT = env.float("FETCH_TIMEOUT", 10.0)  # seconds, for a whole URL search download
FETCH_PRIVATE_ADDRESSES = env.bool("FETCH_PRIVATE_ADDRESSES", False)  # for sites inside an intranet

# Indexes: see search/snapshots/build.py and search/retrieval/live.py.
SPACE_INDEXES: dict[str, str] = env.dict("SPACE_INDEXES", default={})  # space -> index, over the method's own
INDEX_BACKEND = env.str("INDEX_BACKEND", "embedded")  # or milvus, for the spaces whose metric it knows
MILVUS_URI = env.str("MILVUS_URI", "http://127.0.0.1:19530")
MILVUS_PREFIX = env.str("MILVUS_PREFIX", "")  # of this site's collections; made from SECRET_KEY if it is empty
SNAPSHOT_TAIL = env.int("SNAPSHOT_TAIL", 1_000)  # changes that call for a new snapshot
SNAPSHOTS_KEPT = env.int("SNAPSHOTS_KEPT", 3)
MAX_RESULTS = env.int("MAX_RESULTS", 100)

# Encoders: see search/encoders/ and search/methods/encoded.py. SEMANTIC_ENCODER="" takes CLIP where it is, else ConSE.
MODELS_ROOT = Path(env.str("MODELS_ROOT", "") or DATA / "models").resolve()
NEURAL_ENCODER = env.str("NEURAL_ENCODER", "") or "efficientnet-lite0"
SEMANTIC_ENCODER = env.str("SEMANTIC_ENCODER", "")
LOCAL_FEATURES = env.str("LOCAL_FEATURES", "sift")  # or orb
ENCODER_THREADS = env.int("ENCODER_THREADS", 0)  # of one query; 0: as many as there are cores. A worker process has one
QUERY_KEPT = env.int("QUERY_KEPT", 86_400)  # seconds that a picture that was searched by is stored; 0: not at all

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_htmx",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "imagesite",
    "gallery",
    "search",
    "search.query_uploads",
    "search.map",
    "search.duplicates",
    "search.model_registry",
    "search.transfer",
]

MIDDLEWARE = [
    "imagesite.request_id.RequestIdMiddleware",
    "imagesite.metrics.MetricsMiddleware",
    "imagesite.middleware.ProbeMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "imagesite.middleware.RequestSizeMiddleware",
    "imagesite.middleware.AdmissionMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "imagesite.languages.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "gallery.web.middleware.PublicReadingMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "imagesite.urls"
WSGI_APPLICATION = "imagesite.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": database(env.str("DATABASE_URL", ""), DATA)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Originals and thumbnails; any Django storage, for example S3 (see docs/admin-guide.md).
MEDIA_URL = env.str("MEDIA_URL", "/media/").rstrip("/") + "/"
MEDIA_ROOT = DATA / "media"
STATIC_URL = "/static/"
STATIC_ROOT = DATA / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, Any] = {
    "default": {
        "BACKEND": env.str("MEDIA_STORAGE", "gallery.storage.DurableFileSystemStorage"),
        "OPTIONS": env.json("MEDIA_STORAGE_OPTIONS", default={}),
    },
    # Pictures that visitors searched by; never where media are served from.
    "queries": {
        "BACKEND": env.str("QUERY_STORAGE", "gallery.storage.DurableFileSystemStorage"),
        "OPTIONS": env.json("QUERY_STORAGE_OPTIONS", default={"location": str(DATA / "queries")}),
    },
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
SNAPSHOT_ROOT = DATA / "snapshots"
if SNAPSHOT_STORAGE := env.str("SNAPSHOT_STORAGE", ""):  # from which each machine takes what it lacks in SNAPSHOT_ROOT
    STORAGES["snapshots"] = {"BACKEND": SNAPSHOT_STORAGE, "OPTIONS": env.json("SNAPSHOT_STORAGE_OPTIONS", default={})}
for storage in STORAGES.values():
    if storage["BACKEND"] == "storages.backends.s3.S3Storage":
        storage["BACKEND"] = "gallery.s3.BriefS3Storage"
DATA_UPLOAD_MAX_MEMORY_SIZE = 5_000_000  # of a form's text; files are limited by MAX_IMAGE_BYTES

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Русский")]
LANGUAGE_COOKIE_AGE, LANGUAGE_COOKIE_SAMESITE = 31_536_000, "Lax"
LOCALE_PATHS = [BASE_DIR / "locale"]
FORMAT_MODULE_PATH = ["imagesite.formats"]
TIME_ZONE = env.str("TIME_ZONE", "UTC")

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = LOGOUT_REDIRECT_URL = "gallery:index"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in ("UserAttributeSimilarityValidator", "MinimumLengthValidator", "CommonPasswordValidator")
]

# HTTPS=1 behind a proxy that ends TLS and sets X-Forwarded-Proto.
HTTPS = env.bool("HTTPS", False)
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
# Where media are served from, if not from here.
MEDIA_ORIGINS = env.list("MEDIA_ORIGINS", default=["/".join(MEDIA_URL.split("/")[:3])] if "://" in MEDIA_URL else [])
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:", "blob:", *MEDIA_ORIGINS],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'self'"],
        "frame-ancestors": ["'none'"],
    },
}

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        f"rest_framework.authentication.{name}Authentication" for name in ("Token", "Session")
    ],
    "DEFAULT_PERMISSION_CLASSES": ["gallery.web.permissions.ReadOpenlyWriteWithPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.ScopedRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {
        "search": env.str("THROTTLE_SEARCH", "") or None,
        "upload": env.str("THROTTLE_UPLOAD", "") or None,
        "fetch": env.str("THROTTLE_FETCH", "60/min") or None,  # downloads from URLs that visitors name
        "keep": env.str("THROTTLE_KEEP", "300/hour") or None,  # query pictures that get an address
    },
    "NUM_PROXIES": env.int("NUM_PROXIES", 0),  # in front of this site; whose word on client addresses counts
    "EXCEPTION_HANDLER": "gallery.web.errors.error_body",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Image search",
    "VERSION": "1",
    "DESCRIPTION": "Pictures in, pictures that look alike out.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
}

CACHES: dict[str, Any] = {"default": env.cache_url("CACHE_URL", "locmemcache://")}
if CACHES["default"]["BACKEND"].endswith("RedisCache"):
    CACHES["default"]["BACKEND"] = "imagesite.cache.FaultTolerantRedisCache"
    CACHES["default"]["OPTIONS"] = timeouts.CACHE | CACHES["default"].get("OPTIONS", {})

# The default queue needs no server: messages are files. Redis is one variable away.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://localhost")
QUEUE_DIR = DATA / "queue"
if CELERY_BROKER_URL.startswith("filesystem"):
    CELERY_BROKER_TRANSPORT = "imagesite.filequeue:Transport"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {
    "data_folder_in": str(QUEUE_DIR / "messages"),
    "data_folder_out": str(QUEUE_DIR / "messages"),
    "control_folder": str(QUEUE_DIR / "control"),
}
if CELERY_BROKER_URL.startswith("redis"):
    CELERY_BROKER_TRANSPORT = "imagesite.redisqueue:Transport"
    # What a killed worker held comes back within seconds; a live task may take up to the visibility timeout.
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "visibility_timeout": 3_600,
        "unacked_restore_interval": 2,
        "unacked_restore_throttle": 1,
        **timeouts.QUEUE,
    }
TASK_LOST_SECONDS = env.float("TASK_LOST_SECONDS", 120.0)  # no word of a task for so long: it is asked for again
# Two queues, served in turn: a long import must not keep jobs and snapshots waiting.
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_QUEUES = [Queue("default"), Queue("extract")]
CELERY_TASK_ROUTES = {
    "search.tasks.extract": {"queue": "extract"},
    "search.model_registry.tasks.run": {"queue": "extract"},
}
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.2}  # a request must not wait long
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_ENABLE_REMOTE_CONTROL = False  # nothing asks; its queue would be polled for every message
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 1_500_000  # KiB; a child that grew is replaced between tasks
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # a worker waits for its broker however long it is away
CELERY_TIMEZONE = TIME_ZONE
SWEEP_SECONDS = env.float("SWEEP_SECONDS", 10.0)
PERIODIC_TASKS = {  # name -> seconds
    "search.tasks.sweep": SWEEP_SECONDS,
    "search.tasks.self_check": 3_600.0,
    "search.query_uploads.tasks.forget_expired": 60.0,
    "search.duplicates.tasks.sweep": SWEEP_SECONDS,
    "search.map.tasks.sweep": SWEEP_SECONDS,
    "gallery.tasks.purge_trash": SWEEP_SECONDS,
    "imagesite.tasks.fetch_encoders": 60.0,
}
CELERY_BEAT_SCHEDULE = {
    # Without a worker they would pile up, and all run when one comes back.
    name: {"task": name, "schedule": seconds, "options": {"expires": 2 * seconds}}
    for name, seconds in PERIODIC_TASKS.items()
    if name.rpartition(".tasks.")[0] in INSTALLED_APPS
}
CELERY_BEAT_SCHEDULER = "celery.beat:Scheduler"  # keeps nothing on disk that a kill could damage

METRICS_TOKEN = env.str("METRICS_TOKEN", "")  # opens /metrics to whoever sends it; staff see it anyway

LOG_REQUESTS = env.bool("LOG_REQUESTS", False)
LOG_LEVEL, LOG_FORMAT = env.str("LOG_LEVEL", "INFO").upper(), env.str("LOG_FORMAT", "line")
if LOG_LEVEL not in logging.getLevelNamesMapping() or LOG_FORMAT not in ("line", "json"):
    raise ImproperlyConfigured("LOG_LEVEL is DEBUG, INFO, WARNING, ERROR or CRITICAL; LOG_FORMAT is line or json.")
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {"format": "{asctime} {levelname} {name} [{request_id}]: {message}", "style": "{"},
        "json": {"()": "imagesite.request_id.JsonFormatter"},
    },
    "filters": {"request_id": {"()": "imagesite.request_id.RequestIdFilter"}},
    "handlers": {
        "console": {"class": "logging.StreamHandler", "formatter": LOG_FORMAT, "filters": ["request_id"]},
    },
    "loggers": {
        # Anyone can send a wrong host name; the answer is 400, and a traceback each would only fill the log.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "celery": {"level": "WARNING"},
        "celery.app.trace": {"level": "INFO" if LOG_REQUESTS else "WARNING"},
    },
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
}
