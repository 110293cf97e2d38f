const char changed[] = __TIMESTAMP__;
