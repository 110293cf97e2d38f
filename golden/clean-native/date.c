const char built[] = __DATE__;
