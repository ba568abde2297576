// What the layers over hiredis and libpq wait with.
#pragma once

#include <array>
#include <cerrno>
#include <chrono>
#include <expected>
#include <optional>
#include <poll.h>
#include <stop_token>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>

#include "context.hpp"
#include "error.hpp"

namespace futures::detail {

// Waits for a socket, for the end of a context, or for a while, whichever comes first. For one
// thread at a time.
class SocketWaiter {
 public:
  explicit SocketWaiter(const Context& context)
      : context_(context), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  ~SocketWaiter() { close(wake_); }
  SocketWaiter(const SocketWaiter&) = delete;
  SocketWaiter& operator=(const SocketWaiter&) = delete;

  // poll(2)'s events that are there; 0: none until then. What is there already beats the end of
  // the context.
  Result<short> wait(int fd, short events, std::optional<Clock::time_point> until = {}) const {
    const auto ring = [this] { eventfd_write(wake_, 1); };
    const std::stop_callback callback(context_.stop_token(), ring);
    while (true) {
      std::array<pollfd, 2> polled{pollfd{fd, events, 0}, pollfd{wake_, POLLIN, 0}};
      if (poll(polled.data(), polled.size(), left(until)) < 0 && errno != EINTR) {
        return std::unexpected(
            Error{Errc::unavailable, std::generic_category().message(errno) + " while waiting"});
      }
      if (polled[0].revents != 0) return polled[0].revents;
      if (context_.done()) return std::unexpected(*context_.error());
      if (until && Clock::now() >= *until) return 0;
    }
  }

 private:
  static int left(std::optional<Clock::time_point> until) {
    if (!until) return -1;
    const auto time = std::chrono::ceil<std::chrono::milliseconds>(*until - Clock::now()).count();
    return time <= 0 ? 0 : time < 60'000 ? static_cast<int>(time) : 60'000;
  }

  Context context_;
  int wake_;
};

}  // namespace futures::detail
