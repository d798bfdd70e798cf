"""What is done once before the site is first served, in one process: python prepare.py NAME PASSWORD."""

import os
import sys

import django
from django.core.management import call_command

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    django.setup()
    name, os.environ["DJANGO_SUPERUSER_PASSWORD"] = sys.argv[1:]
    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    call_command("createsuperuser", interactive=False, verbosity=0, username=name, email="keeper@shop.test")
