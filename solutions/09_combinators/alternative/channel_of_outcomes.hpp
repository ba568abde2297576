// Right, and odd: the callbacks send what they hear down a channel with room for everybody, and the
// caller reads it like a list of news, in the order of time.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "future.hpp"
#include "runtime/channel.hpp"
#include "runtime/context.hpp"
#include "runtime/error.hpp"

namespace futures {

namespace detail {

template <class T>
class Newsroom {
 public:
  using News = std::pair<std::size_t, Result<T>>;

  explicit Newsroom(const std::vector<Future<T>>& sources)
      : sources_(sources), wire_(make_channel<News>(sources.size())) {
    for (std::size_t i = 0; i < sources.size(); ++i) {
      sources[i].on_settled([wire = wire_.first, i](const Result<T>& outcome) mutable {
        wire.try_send(News(i, outcome));
      });
    }
  }
  Newsroom(const Newsroom&) = delete;
  Newsroom& operator=(const Newsroom&) = delete;
  ~Newsroom() {
    for (const auto& source : sources_) source.cancel();
  }

  // The next outcome in time. News that are there are read before the context is looked at.
  Result<News> next(const Context& context) { return wire_.second.receive(context); }

 private:
  const std::vector<Future<T>>& sources_;
  std::pair<Sender<News>, Receiver<News>> wire_;
};

}  // namespace detail

template <class T>
std::vector<Result<T>> wait_all(const Context& context, std::vector<Future<T>> futures) {
  std::vector<std::optional<Result<T>>> found(futures.size());
  detail::Newsroom<T> newsroom(futures);
  std::vector<Result<T>> results;
  for (std::size_t missing = futures.size(); missing > 0; --missing) {
    auto news = newsroom.next(context);
    if (!news) break;
    found[news->first].emplace(std::move(news->second));
  }
  for (auto& outcome : found) {
    if (outcome) {
      results.push_back(*std::move(outcome));
    } else {
      results.push_back(std::unexpected(*context.error()));
    }
  }
  return results;
}

template <class T>
Result<std::vector<T>> all(const Context& context, std::vector<Future<T>> futures) {
  std::vector<std::optional<T>> found(futures.size());
  {
    detail::Newsroom<T> newsroom(futures);
    for (std::size_t missing = futures.size(); missing > 0; --missing) {
      auto news = newsroom.next(context);
      if (!news) return std::unexpected(news.error());
      if (!news->second) return std::unexpected(news->second.error());
      found[news->first].emplace(*std::move(news->second));
    }
  }
  std::vector<T> values;
  for (auto& value : found) values.push_back(*std::move(value));
  return values;
}

template <class T>
Result<T> first(const Context& context, std::vector<Future<T>> futures) {
  Error failures{Errc::invalid_argument, "nothing to choose from"};
  detail::Newsroom<T> newsroom(futures);
  for (std::size_t missing = futures.size(); missing > 0; --missing) {
    auto news = newsroom.next(context);
    if (!news) return std::unexpected(news.error());
    if (news->second) return std::move(news->second);
    if (missing == futures.size()) failures = Error{news->second.error().code, "all failed"};
    failures.message += " | " + news->second.error().message;
  }
  return std::unexpected(failures);
}

}  // namespace futures
