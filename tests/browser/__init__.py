"""The demo site as a person sees it: in Chromium, without a window.  `make browser`."""
