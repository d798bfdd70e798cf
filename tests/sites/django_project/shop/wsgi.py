import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
application = get_wsgi_application()

import shop.urls  # noqa: E402, F401 - Django would read the views at the first request; so a reload finds their mistakes
