const char *greeting = _("hello");
