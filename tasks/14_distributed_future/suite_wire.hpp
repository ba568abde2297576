// Between a process and its server: a wire on which each command can be seen, and stopped for a
// moment, before the server gets it. In that moment the test does what another process might do.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstring>
#include <exception>
#include <filesystem>
#include <functional>
#include <list>
#include <poll.h>
#include <stdexcept>
#include <string>
#include <string_view>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include "suite_support.hpp"

namespace distributed_suite {

struct Command {
  std::vector<std::string> words;

  const std::string& name() const { return words.front(); }  // in capitals
  bool mentions(std::string_view text) const {
    return std::ranges::any_of(words, [&](const auto& word) { return word.contains(text); });
  }
  // Changes nothing on the server.
  bool only_looks() const {
    constexpr std::array looks{"GET",    "MGET",  "EXISTS",    "STRLEN",      "TTL",    "PTTL",
                               "GETEX",  "PING",  "SUBSCRIBE", "PSUBSCRIBE",  "TYPE",   "GETRANGE",
                               "SCRIPT", "WATCH", "MULTI",     "UNSUBSCRIBE", "CLIENT", "HELLO"};
    return std::ranges::find(looks, name()) != looks.end();
  }
};

enum class Pass {
  on,
  not_at_all,  // the connection is cut, and the server never hears of it
  only_there,  // the server carries it out, and the connection is cut before the answer
};

// The hook is called on the wire's thread before each command is passed on.
class Wire {
 public:
  using Hook = std::function<Pass(const Command&)>;

  Wire(const RedisEndpoint& server, Hook before)
      : server_(server), before_(std::move(before)), wake_(eventfd(0, EFD_CLOEXEC)) {
    std::string folder = (std::filesystem::temp_directory_path() / "wire-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) throw std::runtime_error("no temporary folder");
    folder_ = folder;
    endpoint_.path = folder + "/w.sock";
    listener_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = address_of(endpoint_);
    if (bind(listener_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
        listen(listener_, 64) != 0) {
      throw std::runtime_error("no socket for the wire");
    }
    thread_ = std::thread([this] { run(); });
  }
  ~Wire() {
    eventfd_write(wake_, 1);
    thread_.join();
    for (auto& pair : pairs_) pair.close();
    close(listener_);
    close(wake_);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;

  const RedisEndpoint& endpoint() const { return endpoint_; }
  // How many commands have come so far.
  int commands() const { return commands_.load(); }

 private:
  struct Pair {
    int client = -1;
    int server = -1;
    std::string unread;  // of a command that has not come whole
    bool open() const { return client >= 0; }
    void close() {
      if (client >= 0) ::close(client);
      if (server >= 0) ::close(server);
      client = server = -1;
    }
  };

  static sockaddr_un address_of(const RedisEndpoint& endpoint) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, endpoint.path.c_str(), sizeof address.sun_path - 1);
    return address;
  }

  void run() {
    while (true) {
      std::vector<pollfd> polled{{wake_, POLLIN, 0}, {listener_, POLLIN, 0}};
      std::vector<Pair*> whose;
      for (auto& pair : pairs_) {
        polled.push_back({pair.client, POLLIN, 0});
        polled.push_back({pair.server, POLLIN, 0});
        whose.push_back(&pair);
      }
      if (poll(polled.data(), polled.size(), -1) < 0) continue;
      if (polled[0].revents != 0) return;
      // Answers first: who asks a second question has read the first answer.
      for (std::size_t i = 0; i < whose.size(); ++i) {
        if (polled[3 + 2 * i].revents != 0 && whose[i]->open()) pass_back(*whose[i]);
      }
      for (std::size_t i = 0; i < whose.size(); ++i) {
        if (polled[2 + 2 * i].revents != 0 && whose[i]->open()) pass_on(*whose[i]);
      }
      if (polled[1].revents != 0) accept_one();
      pairs_.remove_if([](const Pair& pair) { return !pair.open(); });
    }
  }

  void accept_one() {
    Pair pair;
    pair.client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    pair.server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const auto address = address_of(server_);
    if (connect(pair.server, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      pair.close();
    }
    pairs_.push_back(std::move(pair));
  }

  static bool send_all(int to, std::string_view bytes) {
    while (!bytes.empty()) {
      const auto n = send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }

  void pass_back(Pair& pair) {
    std::array<char, 65536> buffer;
    const auto n = recv(pair.server, buffer.data(), buffer.size(), 0);
    if (n <= 0 || !send_all(pair.client, {buffer.data(), static_cast<std::size_t>(n)})) {
      pair.close();
    }
  }

  void pass_on(Pair& pair) {
    std::array<char, 65536> buffer;
    const auto n = recv(pair.client, buffer.data(), buffer.size(), 0);
    if (n <= 0) return pair.close();
    pair.unread.append(buffer.data(), static_cast<std::size_t>(n));
    while (pair.open()) {
      std::size_t size = 0;
      const auto command = parse(pair.unread, size);
      if (!command) return;
      ++commands_;
      const auto pass = ask_test(*command);
      if (pass == Pass::not_at_all || !send_all(pair.server, {pair.unread.data(), size})) {
        return pair.close();
      }
      if (pass == Pass::only_there) {
        recv(pair.server, buffer.data(), buffer.size(), 0);
        return pair.close();
      }
      pair.unread.erase(0, size);
    }
  }

  Pass ask_test(const Command& command) {
    try {
      return before_(command);
    } catch (const std::exception& e) {
      ADD_FAILURE() << "on the wire: " << e.what();
      return Pass::on;
    }
  }

  // The first whole command, and how many bytes it has: "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n".
  static std::optional<Command> parse(std::string_view text, std::size_t& size) {
    const auto number = [&](char sign) -> std::optional<std::size_t> {
      const auto end = text.find("\r\n", size);
      if (end == text.npos || text[size] != sign) return std::nullopt;
      std::size_t value = 0;
      std::from_chars(text.data() + size + 1, text.data() + end, value);
      size = end + 2;
      return value;
    };
    Command command;
    const auto count = number('*');
    for (std::size_t i = 0; count && i < *count; ++i) {
      const auto length = number('$');
      if (!length || text.size() < size + *length + 2) return std::nullopt;
      command.words.emplace_back(text.substr(size, *length));
      size += *length + 2;
    }
    if (command.words.empty()) return std::nullopt;
    for (auto& c : command.words.front()) {
      c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    }
    return command;
  }

  const RedisEndpoint server_;
  const Hook before_;
  std::filesystem::path folder_;
  RedisEndpoint endpoint_;
  int wake_;
  int listener_ = -1;
  std::list<Pair> pairs_;  // of the wire's thread
  std::atomic<int> commands_{0};
  std::thread thread_;
};

}  // namespace distributed_suite
