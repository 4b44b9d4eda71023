"""Settings: one file, every value from the environment through `config.env`.

CHARTKEY_MODE is `production` unless it says otherwise; `demo` and `test` are the
only modes in which anything insecure is on, and `config.checks` holds that.
"""

from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from config import env, providers

ROOT = Path(__file__).resolve().parent.parent
MODE = env.text("CHARTKEY_MODE", "production")
if MODE not in {"production", "demo", "test"}:
    raise env.BadVariable(f"CHARTKEY_MODE is {MODE!r}; it takes production, demo or test.")
DEMO = MODE in {"demo", "test"}

# Addresses
BASE_URL = env.text("BASE_URL").rstrip("/")  # as people and apps reach it, without a path
FHIR_BASE_URL = f"{BASE_URL}/fhir/r4"
ALLOWED_HOSTS = env.listing("ALLOWED_HOSTS")
SECURE = BASE_URL.startswith("https://")
if env.flag("BEHIND_TLS_PROXY"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Sign-in is limited by address; X-Forwarded-For is believed for as many proxies of our own, from the right.
ALLAUTH_TRUSTED_PROXY_COUNT = env.number("TRUSTED_PROXY_COUNT", 0)

# Secrets
SECRET_KEY = env.text("SECRET_KEY")
FIELD_KEY = env.key("FIELD_KEY")  # encrypts second-factor secrets and drafts at rest
AUDIT_MAC_KEY = env.key("AUDIT_MAC_KEY")  # marks audit rows as written by the app; never in the database
AUDIT_SIGNING_KEY = env.key("AUDIT_SIGNING_KEY", exact=True)  # Ed25519 seed that signs checkpoints
AUDIT_ORIGIN = env.text("AUDIT_ORIGIN", "chartkey.example/audit")  # the log's name in its checkpoints
AUDIT_MAC_KEYS_OLD = env.listing("AUDIT_MAC_KEYS_OLD")  # key@time until which it marked rows
AUDIT_SIGNING_KEYS_OLD = env.listing("AUDIT_SIGNING_KEYS_OLD")  # public key@size up to which it signed
OIDC_KEY_FILE = env.path("OIDC_KEY_FILE")

# Places on disk
VAR = env.path("CHARTKEY_VAR", ROOT / "var")
SHL_VIEWER = env.text("SHL_VIEWER", "")  # before each health link: a viewer's address that ends with "#"
EXPORT_FOLDER = env.path("EXPORT_FOLDER", VAR / "exports")
EXPORT_BUCKET = env.text("EXPORT_BUCKET", "")  # https://endpoint/bucket; empty: files stay in EXPORT_FOLDER
EXPORT_BUCKET_REGION = env.text("EXPORT_BUCKET_REGION", "us-east-1")
EXPORT_BUCKET_KEY = env.text("EXPORT_BUCKET_KEY", "")  # access key:secret key
AUDIT_ANCHOR_FILE = env.path("AUDIT_ANCHOR_FILE", VAR / "audit" / "checkpoints.txt")
AUDIT_JOURNAL_FOLDER = env.path("AUDIT_JOURNAL_FOLDER", VAR / "audit" / "journal")

# How the audit log is kept: docs/audit.md
AUDIT_JOURNAL_FSYNC = env.flag("AUDIT_JOURNAL_FSYNC")  # wait for the disk at each line
AUDIT_WITNESSES = env.listing("AUDIT_WITNESSES")  # verifier key=address of each
AUDIT_BUCKET = env.text("AUDIT_BUCKET", "")  # https://endpoint/bucket, with object lock
AUDIT_BUCKET_REGION = env.text("AUDIT_BUCKET_REGION", "us-east-1")
AUDIT_BUCKET_KEY = env.text("AUDIT_BUCKET_KEY", "")  # access key:secret key
AUDIT_ON_BROKEN = env.text("AUDIT_ON_BROKEN", "serve")  # or stop: what a log that does not verify does
if AUDIT_ON_BROKEN not in {"serve", "stop"}:
    raise env.BadVariable("AUDIT_ON_BROKEN takes serve or stop.")
AUDIT_ALARM = "compliance.investigations.alarm"  # told when the log is found to be changed, or cut short
DEATH_SIGN_CALL = "compliance.investigations.sign_of_death"  # told when an EHR says that a patient died
AUDIT_CREDENTIAL = "smart.identity.of_session"  # by what right a signed-in person asks: `audit.context`
# A function of ours that keeps a month from being dropped.
AUDIT_HOLD_CHECK = "compliance.investigations.holds_month"

INSTALLED_APPS = [
    *(["demo"] if DEMO else []),
    "portal",
    "compliance",
    "exports",
    "fhirproxy",
    "consent",
    "smart",
    "accounts",
    "notices",
    "audit",
    "fhirstore",
    "config",
    "compliance.apps.ConsoleConfig",  # django.contrib.admin with our site in it
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "oauth2_provider",
    "rest_framework",
    "drf_spectacular",
    "csp",
    "django_htmx",
    "template_partials",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.middleware.correlation_id",
    "audit.middleware.audit_context",
    "smart.cors.middleware",
    "config.middleware.straight_to_machines",
    "portal.acting.subject_in_address",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "config.middleware.language_of_person",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "csp.middleware.CSPMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "allauth.usersessions.middleware.UserSessionsMiddleware",
    "accounts.sessions.Watch",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.no_store",
    "portal.views.problems.method_not_allowed",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
APPEND_SLASH = True
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "csp.context_processors.nonce",
                "config.context.site",
            ],
            "string_if_invalid": "MISSING-VARIABLE" if MODE == "test" else "",
        },
    }
]

# PostgreSQL is the only truth; Valkey carries the queue, rate limits and nothing with authority.
_database = conninfo_to_dict(env.text("DATABASE_URL"))
_pool_size = env.number("DATABASE_POOL", 0 if MODE == "test" else 24)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.get("dbname", ""),
        "USER": _database.get("user", ""),
        "PASSWORD": _database.get("password", ""),
        "HOST": _database.get("host", ""),
        "PORT": _database.get("port", ""),
        "OPTIONS": {
            "options": "-c idle_in_transaction_session_timeout=60000 -c timezone=UTC",
            # Statements that come again are planned once a connection: planning is most of their cost.
            "server_side_binding": True,
            "prepare_threshold": 3,
            **({"pool": {"min_size": 1, "max_size": _pool_size}} if _pool_size else {}),
        },
        "DISABLE_SERVER_SIDE_CURSORS": False,
    }
}
REDIS_URL = env.text("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "chartkey",
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

CELERY_BROKER_URL = env.text("CELERY_BROKER_URL", REDIS_URL)
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,  # tasks are cut into slices far shorter than this
    "unacked_restore_interval": 5,  # a killed worker's task is found again within seconds
    "unacked_restore_throttle": 1,
}
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    "notices-send": {"task": "notices.tasks.send_due", "schedule": 10.0},
    "consents-expire": {"task": "consent.tasks.expire_due", "schedule": 30.0},
    "events-send": {"task": "smart.tasks.send_events", "schedule": 10.0},
    "helpers-expire": {"task": "consent.tasks.expire_helpers", "schedule": 3600.0},
    "accounts-merge": {"task": "consent.tasks.merge_agreed", "schedule": 3600.0},
    "evidence-destroy": {"task": "consent.tasks.destroy_evidence", "schedule": 3600.0},
    "accounts-close": {"task": "consent.tasks.close_accounts", "schedule": 3600.0},
    "birthdays-tell": {"task": "consent.tasks.tell_of_birthdays", "schedule": 24 * 3600.0},
    "smart-sweep": {"task": "smart.tasks.sweep", "schedule": 3600.0},
    "sessions-sweep": {"task": "accounts.tasks.sweep_sessions", "schedule": 3600.0},
    "drafts-sweep": {"task": "portal.tasks.sweep_drafts", "schedule": 3600.0},
    "sources-check": {"task": "fhirproxy.tasks.check_sources", "schedule": 60.0},
    "copies-sweep": {"task": "fhirproxy.tasks.sweep_copies", "schedule": 3600.0},
    "writes-sweep": {"task": "fhirproxy.tasks.sweep_writes", "schedule": 30.0},
    "exports-sweep": {"task": "exports.tasks.sweep", "schedule": 30.0},
    "health-links-sweep": {"task": "exports.tasks.sweep_links", "schedule": 60.0},
    "audit-partitions": {"task": "audit.tasks.make_partitions", "schedule": 24 * 3600.0},
    "audit-anchor": {"task": "audit.tasks.anchor", "schedule": 10.0},
    "audit-monitor": {"task": "audit.tasks.monitor", "schedule": 60.0},
    "audit-verify": {"task": "audit.tasks.verify_all", "schedule": 24 * 3600.0},
    "monitor-watch": {"task": "compliance.tasks.watch", "schedule": 30.0},
    "monitor-sweep": {"task": "compliance.tasks.sweep_windows", "schedule": 24 * 3600.0},
    "audit-prune": {"task": "audit.tasks.prune", "schedule": 3600.0},
}

# Who signs in
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
STEPUP_URL = "portal:step-up"  # the page that asks for one more proof
ACCOUNT_ADAPTER = "accounts.allauth.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_MODEL_EMAIL_FIELD = "email"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_SESSION_REMEMBER = False
# By account and place (accounts.allauth), by address, and by account for strange browsers in one day.
ACCOUNT_RATE_LIMITS = {
    "login_failed": "20/m/ip,5/300s/key",
    "login_failed_anywhere": "100/d/key",
    "activate": "30/h/ip",
}
MFA_ADAPTER = "accounts.allauth.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_TOLERANCE = 1  # steps of 30 seconds by which clocks may disagree
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = DEMO
# Identity providers that people may sign in with: accounts.providers. None where none is named.
IDENTITY_PROVIDERS = providers.read(plain=DEMO)
SOCIALACCOUNT_ADAPTER = "accounts.providers.SocialAdapter"
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_REQUESTS_TIMEOUT = 5  # seconds
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "accounts.passwords.LengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "accounts.passwords.ContextValidator"},
]

SESSION_COOKIE_AGE = 24 * 3600  # of the row, which must outlive the session: accounts.sessions ends it
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "__Host-session" if SECURE else "session"
CSRF_COOKIE_NAME = "__Host-csrf" if SECURE else "csrf"
CSRF_FAILURE_VIEW = "portal.views.problems.csrf_failed"

# OAuth 2 and SMART App Launch
OAUTH2_PROVIDER_APPLICATION_MODEL = "smart.Client"
OAUTH2_PROVIDER_GRANT_MODEL = "smart.Grant"
OAUTH2_PROVIDER_ACCESS_TOKEN_MODEL = "smart.AccessToken"
OAUTH2_PROVIDER_REFRESH_TOKEN_MODEL = "smart.RefreshToken"
OAUTH2_PROVIDER_ID_TOKEN_MODEL = "smart.IDToken"
OAUTH2_PROVIDER_DEVICE_GRANT_MODEL = "smart.DeviceGrant"
# All models of the library are swapped for ours: its own migrations change nothing, and take half of the
# time that a new database takes.
MIGRATION_MODULES = {"oauth2_provider": None}
OAUTH2_PROVIDER = {
    "OIDC_ENABLED": True,
    "OIDC_RSA_PRIVATE_KEY": OIDC_KEY_FILE.read_text() if OIDC_KEY_FILE.is_file() else "",
    "OIDC_ISS_ENDPOINT": BASE_URL,
    "PKCE_REQUIRED": True,
    "ROTATE_REFRESH_TOKEN": True,
    "REFRESH_TOKEN_REUSE_PROTECTION": True,
    "REFRESH_TOKEN_GRACE_PERIOD_SECONDS": 0,  # must be 0 where tokens are hashed at rest
    "ACCESS_TOKEN_GENERATOR": "smart.secrets.new_token",
    "REFRESH_TOKEN_GENERATOR": "smart.secrets.new_token",
    "ACCESS_TOKEN_EXPIRE_SECONDS": 300,
    "ID_TOKEN_EXPIRE_SECONDS": 300,
    "AUTHORIZATION_CODE_EXPIRE_SECONDS": 60,
    "REFRESH_TOKEN_EXPIRE_SECONDS": 90 * 24 * 3600,  # when idle; the consent's end is the absolute one
    "SCOPES_BACKEND_CLASS": "smart.scopes.ScopesBackend",
    "OAUTH2_VALIDATOR_CLASS": "smart.validators.SmartValidator",
    "CLIENT_SECRET_HASHER": "smart_sha256",
    "ALLOWED_REDIRECT_URI_SCHEMES": ["https", "http"] if DEMO else ["https"],
    "OIDC_RP_INITIATED_LOGOUT_DELETE_TOKENS": False,
    **{
        f"COMPLIANT_BCP_RFC9700_{name}": True
        for name in [
            "IMPLICIT_GRANT",
            "PASSWORD_GRANT",
            "PKCE_METHOD",
            "ACCESS_TOKEN_TRANSPORT",
            "AUTHZ_RESPONSE_ISS",
            "TOKEN_STORAGE",
            "REFRESH_TOKEN",
            "REDIRECT_URI_MATCHING",
            "PKCE_REQUIRED",
        ]
    },
    "COMPLIANT_BCP_RFC9700_REDIRECT_URI_SCHEME": not DEMO,
}
PASSWORD_HASHERS = [
    *(["django.contrib.auth.hashers.MD5PasswordHasher"] if MODE == "test" else []),  # speed, of tests only
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    "smart.secrets.Sha256SecretHasher",  # for generated 256-bit client secrets only
]

# Whether tokens may still be given for an authorization: `smart` asks, and does not know what it is.
SMART_AUTHORIZATION_CHECK = "consent.bearers.is_in_force"
ELEVATION_MINUTES = env.number("ELEVATION_MINUTES", 15)  # that staff may do more than each day
ENCOUNTER_HOURS_BEFORE = env.number("ENCOUNTER_HOURS_BEFORE", 72)  # a clinician sees whom they will see
ENCOUNTER_HOURS_AFTER = env.number("ENCOUNTER_HOURS_AFTER", 336)  # and whom they saw
# Whose record a clinician opens with a reason only, though they treat them (accounts/closeness.py).
CLOSE_RECORDS = frozenset(env.listing("CLOSE_RECORDS", "family,colleague"))
# Detectors (compliance/monitoring/detectors.toml) whose alert does at once what the table says.
MONITOR_ACTIONS = frozenset(env.listing("MONITOR_ACTIONS"))
EMERGENCY_MINUTES = env.number("EMERGENCY_MINUTES", 15)  # that a view in an emergency runs
CLINICIAN_CHECK = "fhirproxy.treating.treats"  # whether a clinician treats a patient now
SMART_BASE_CHECK = "fhirproxy.brands.is_base"  # which FHIR bases are ours,
SMART_PATIENT_AT = "fhirproxy.brands.patient_at"  # and who a patient is there

# Whether software may register itself (RFC 7591): off, token or statement; see `smart.registration`.
UNUSED_AFTER_DAYS = env.number("UNUSED_AFTER_DAYS", 90)  # that an app did not read a kind of record
DYNAMIC_REGISTRATION = env.text("DYNAMIC_REGISTRATION", "off")
if DYNAMIC_REGISTRATION not in {"off", "token", "statement"}:
    raise env.BadVariable("DYNAMIC_REGISTRATION takes off, token or statement.")
SOFTWARE_STATEMENT_ISSUERS = env.text("SOFTWARE_STATEMENT_ISSUERS", "")  # JSON file: issuer → JWK Set

# The EHR behind the gate. Nothing imports fhirstore: this name is the one wire to it.
FHIRSTORE_ENTRY_POINT = "fhirstore.server.handle"
FHIRSTORE_CHECK = "fhirstore.server.problems"  # what is wrong with a document, by R4's own structures
# Records of many patients at once, and the numbers by which the gate knows them again (ADR 17).
FHIRSTORE_PORTIONS = "fhirstore.portions.portions"
FHIRSTORE_SET_STAMPS = "fhirstore.portions.set_stamps"
FHIRSTORE_STAMP = "fhirproxy.stamps.stamp_of"
FHIRSTORE_ENVELOPE = "fhirstore.binaries.envelope"  # of a Binary, and its content by pieces
FHIRSTORE_PIECE = "fhirstore.binaries.piece"
FHIRSTORE_MAX_BODY = 32 * 1024 * 1024  # bytes of one request, a transaction as any other
# EHRs that may be spoken to without TLS, by host name: where no wire leads, as in one compose network.
EHR_PLAIN_HOSTS = env.listing("EHR_PLAIN_HOSTS")
PAGE_DEADLINE = env.number("PAGE_DEADLINE", 5)  # seconds that all EHRs together may take for one page
COPIES_KEPT_DAYS = env.number("COPIES_KEPT_DAYS", 7)  # of what an EHR last told a patient's own pages

# What the gate gives out in a time; docs/operations.md lists the names.
BUDGETS = env.numbers("BUDGETS")  # other limits, by name
BUDGET_FACTOR = env.number("BUDGET_FACTOR", 1000 if MODE == "test" else 1)  # tests ask all at once
WEB_PROCESSES = env.number("WEB_PROCESSES", 4)  # among which a budget is divided while Valkey is silent

# Bulk Data Access: docs/bulk.md
BULK_SECOND_PERSON_OVER = env.number("BULK_SECOND_PERSON_OVER", 1000)  # patients of a group
EXPORT_PUSH_HOSTS = env.listing("EXPORT_PUSH_HOSTS")  # that exports may be sent to; empty: none is
BULK_JOBS_PER_CLIENT = env.number("BULK_JOBS_PER_CLIENT", 2)  # that are made at once

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["portal.api.access.PersonOrClient"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "portal.api.problems.handler",
    "UNAUTHENTICATED_USER": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Chartkey API",
    "VERSION": "1",
    "DESCRIPTION": "Consents, activity, preferences, proposed changes. Health records are at the FHIR base.",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1/",
    "ENUM_NAME_OVERRIDES": {"WriteStatusEnum": "fhirproxy.models.WriteCommand.Status"},
}

# Words and times
LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("es", "Español")]
LOCALE_PATHS = [ROOT / "locale"]
FORMAT_MODULE_PATH = "portal.formats"
USE_I18N = USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "America/New_York")  # of the clinic; times are kept in UTC

STATIC_URL = "static/"
STATIC_ROOT = env.path("STATIC_ROOT", VAR / "static")
STATICFILES_DIRS = [ROOT / "static"]
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = MODE == "test"  # tests collect nothing
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if MODE == "test"
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}

# What a browser may do with our pages
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'self'"],
        "img-src": ["'self'", "data:"],
        "object-src": ["'none'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        # no form-action: a consent form ends in a redirect to the app, which browsers hold against it
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = SECURE and MODE == "production"
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = SECURE

# A form, or a body: more than any text that a page takes, so that a page can say what of it is too long.
DATA_UPLOAD_MAX_MEMORY_SIZE = 5632 * 1024
FILE_UPLOAD_HANDLERS = ["portal.uploads.InMemory"]  # no file is written to disk as it came
EVIDENCE_KEPT_DAYS = env.number("EVIDENCE_KEPT_DAYS", 30)  # papers of a request to help, after its answer
EMAIL_BACKEND = env.text(
    "EMAIL_BACKEND",
    "django.core.mail.backends.filebased.EmailBackend"
    if MODE == "demo"
    else "django.core.mail.backends.smtp.EmailBackend",
)
EMAIL_FILE_PATH = str(VAR / "mail")
EMAIL_HOST = env.text("EMAIL_HOST", "localhost")
EMAIL_PORT = env.number("EMAIL_PORT", 25)
DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "Chartkey <no-reply@chartkey.example>")

LOGGING_CONFIG = None  # config.logging sets structlog up, from ConfigApp.ready
DEBUG = False
# What holds of a use of records where a patient chose nothing, where the site differs from
# consent/directives.toml: operations=deny makes it an opt-in.
DIRECTIVE_DEFAULTS = env.choices("DIRECTIVE_DEFAULTS")
JURISDICTION = env.text("JURISDICTION", "US")  # whose law holds here: consent/jurisdictions.toml
EMERGENCY_NUMBER = env.text("EMERGENCY_NUMBER", "911")
CLINIC_NAME = env.text("CLINIC_NAME", "Riverside Clinic")
CLINIC_PHONE = env.text("CLINIC_PHONE", "555-0100")
CLINIC_WEBSITE = env.text("CLINIC_WEBSITE", "")  # where people know it from; else this portal
LAKESIDE_URL = env.text("LAKESIDE_URL", "") if DEMO else ""  # the demo's second EHR
DEMO_CLIENT_URL = env.text("DEMO_CLIENT_URL", "http://127.0.0.1:8001") if DEMO else ""
