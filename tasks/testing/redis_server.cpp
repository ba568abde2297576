// The kit is built for every task, also where there is no hiredis: then no task asks for a server.
#if __has_include(<hiredis/hiredis.h>)
#include "testing/redis_server.hpp"

#include <csignal>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <utility>

#include "testing/eventually.hpp"

namespace workbook {

RedisServer::RedisServer(std::vector<std::string> options)
    : options_(std::move(options)), process_("redis", /*may_be_root=*/true) {
  endpoint_.path = process_.folder() + "/s.sock";
  start();
}

void RedisServer::start() {
  std::vector<std::string> words = {
      "redis-server", "--port", "0",     "--unixsocket",    endpoint_.path, "--save", "",
      "--appendonly", "no",     "--dir", process_.folder(), "--loglevel",   "warning"};
  words.insert(words.end(), options_.begin(), options_.end());
  process_.start(std::move(words));
  if (!eventually([this] { return answers() || process_.gone(); }) || process_.gone()) {
    throw std::runtime_error("redis-server does not start: is it installed?");
  }
}

void RedisServer::kill() { process_.stop(SIGKILL); }
void RedisServer::freeze() const { process_.signal(SIGSTOP); }
void RedisServer::thaw() const { process_.signal(SIGCONT); }

// Asked without hiredis: the kit is linked with every task, and only those that need it have that.
bool RedisServer::answers() const {
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  endpoint_.path.copy(address.sun_path, sizeof address.sun_path - 1);
  constexpr std::string_view question = "PING\r\n";
  constexpr std::string_view answer = "+PONG";
  std::string reply(answer.size(), '\0');
  const bool pong = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                    send(fd, question.data(), question.size(), MSG_NOSIGNAL) > 0 &&
                    recv(fd, reply.data(), reply.size(), MSG_WAITALL) > 0 && reply == answer;
  close(fd);
  return pong;
}

}  // namespace workbook
#endif
