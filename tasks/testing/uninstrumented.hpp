#pragma once

// For functions that run where a sanitizer's runtime must not be entered: before it is set up, or
// inside a signal handler that it knows nothing about.
#if defined(__clang__)
#define WORKBOOK_UNINSTRUMENTED __attribute__((disable_sanitizer_instrumentation, noinline))
#else
#define WORKBOOK_UNINSTRUMENTED \
  __attribute__((no_sanitize("thread", "address", "undefined"), noinline))
#endif
