"""`python -m app`: serve with structured logs and a graceful shutdown."""

import sys

import uvicorn
from pydantic import ValidationError

from app.config import Settings, list_problems, load_settings
from app.lifecycle import GracefulServer, Lifecycle
from app.logs import configure_logs
from app.main import create_app

USAGE_ERROR = 2
KEEP_ALIVE_SECONDS = 75  # longer than the 60 s of common load balancers: who closes first must be the client


def make_server(settings: Settings) -> GracefulServer:
    """Build the server; it binds when it runs."""
    lifecycle = Lifecycle()
    config = uvicorn.Config(
        create_app(settings, lifecycle=lifecycle),
        host=settings.bind_host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=settings.shutdown_timeout_seconds,
    )
    return GracefulServer(config, lifecycle, delay=settings.shutdown_delay_seconds)


def main() -> int:
    """Serve until told to stop; 2 when a setting is wrong."""
    try:
        settings = load_settings(Settings)
    except ValidationError as error:
        sys.stderr.writelines(f"{problem}\n" for problem in list_problems(error))
        return USAGE_ERROR
    configure_logs(settings.log_level)
    make_server(settings).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
