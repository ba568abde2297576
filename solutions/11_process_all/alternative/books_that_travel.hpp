// Right, and odd: the books (next job, running, peak, first error) are one object on the heap that
// travels through a channel with room for one. Who has received it is the only one who may read or
// write it, and sends it on: there is no lock, no atomic, and nothing that is shared. Ending one
// job and beginning the next is one entry in the books.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"
#include "runtime/spawn.hpp"

namespace futures {

struct Job {
  std::string id;
  friend bool operator==(const Job&, const Job&) = default;
};

struct FanOut {
  std::size_t completed = 0;  // jobs that succeeded
  std::size_t peak = 0;       // the most jobs that ran at the same time
  friend bool operator==(const FanOut&, const FanOut&) = default;
};

namespace detail {

struct FanOutBooks {
  std::size_t next = 0;
  std::size_t running = 0;
  FanOut figures;
  std::optional<Error> error;
};

}  // namespace detail

inline Result<FanOut> process_all(
    const Context& context, std::span<const Job> jobs, std::size_t limit,
    const std::function<Result<void>(const Context&, const Job&)>& process) {
  using detail::FanOutBooks;
  if (limit == 0)
    return std::unexpected(Error{Errc::invalid_argument, "a limit of 0 runs nothing"});

  CancelSource source = with_cancel(context);
  auto [pass_on, turn] = make_channel<std::unique_ptr<FanOutBooks>>(1);
  pass_on.send(std::make_unique<FanOutBooks>());

  // The job that comes next, entered as running; or nothing, and then for good.
  const auto begin = [&](FanOutBooks& books) -> const Job* {
    if (books.error || books.next == jobs.size()) return nullptr;
    if (context.done()) {
      books.error = *context.error();
      return nullptr;
    }
    books.figures.peak = std::max(books.figures.peak, ++books.running);
    return &jobs[books.next++];
  };

  const auto work = [&, &sender = pass_on, &receiver = turn] {
    auto books = *receiver.receive();
    const Job* job = begin(*books);
    sender.send(std::move(books));
    while (job != nullptr) {
      Result<void> outcome = [&]() -> Result<void> {
        try {
          return process(source.context(), *job);
        } catch (...) {
          return std::unexpected(error_from_current_exception());
        }
      }();
      bool cause = false;
      books = *receiver.receive();
      --books->running;
      if (outcome) {
        ++books->figures.completed;
      } else if (!books->error) {
        books->error = std::move(outcome).error();
        cause = true;
      }
      job = begin(*books);
      sender.send(std::move(books));
      if (cause) source.cancel();  // the books are somebody else's by now
    }
  };

  {
    std::vector<std::jthread> helpers;
    for (std::size_t count = std::min(limit, jobs.size()); count > 1; --count) {
      try {
        helpers.emplace_back(work);
      } catch (const std::system_error&) {
        break;  // fewer will do
      }
    }
    work();
  }

  const auto books = *turn.receive();
  if (books->error) return std::unexpected(*std::move(books->error));
  return books->figures;
}

}  // namespace futures
