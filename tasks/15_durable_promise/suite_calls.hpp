// The C library's calls as this program's own: they tell the Ear and then do what they always do.
// Included once, by suite.cpp.
#pragma once

#include "suite_support.hpp"

namespace durable_suite {

template <class Function>
Function real_call(const char* name) {
  return reinterpret_cast<Function>(dlsym(RTLD_NEXT, name));
}

}  // namespace durable_suite

extern "C" {

int fsync(int fd) {
  static const auto real = durable_suite::real_call<int (*)(int)>("fsync");
  return durable_suite::Ear::instance().synced(fd, "fsync", real);
}

int fdatasync(int fd) {
  static const auto real = durable_suite::real_call<int (*)(int)>("fdatasync");
  return durable_suite::Ear::instance().synced(fd, "fdatasync", real);
}

int rename(const char* from, const char* to) noexcept {
  static const auto real = durable_suite::real_call<int (*)(const char*, const char*)>("rename");
  return durable_suite::Ear::instance().renamed(AT_FDCWD, from, to, [&] { return real(from, to); });
}

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  static const auto real =
      durable_suite::real_call<int (*)(int, const char*, int, const char*)>("renameat");
  return durable_suite::Ear::instance().renamed(
      from_folder, from, to, [&] { return real(from_folder, from, to_folder, to); });
}

int renameat2(int from_folder, const char* from, int to_folder, const char* to,
              unsigned flags) noexcept {
  static const auto real =
      durable_suite::real_call<int (*)(int, const char*, int, const char*, unsigned)>("renameat2");
  return durable_suite::Ear::instance().renamed(
      from_folder, from, to, [&] { return real(from_folder, from, to_folder, to, flags); });
}

}  // extern "C"
