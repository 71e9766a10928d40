using LlmTune.Native;

namespace LlmTune.Tests.Native;

public sealed class CgroupTests : IDisposable
{
    private readonly TemporaryFolder _root = new();

    public void Dispose() => _root.Dispose();

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_root[path])!);
        File.WriteAllText(_root[path], text);
    }

    [Fact]
    public void Without_groups_or_limits_there_is_none()
    {
        Assert.Null(Cgroup.Memory(_root.Path));
        Write("proc/self/cgroup", "0::/user.slice\n");
        Assert.Null(Cgroup.Memory(_root.Path));
        Write("sys/fs/cgroup/user.slice/memory.max", "max\n");
        Assert.Null(Cgroup.Memory(_root.Path));
    }

    [Fact]
    public void The_tightest_of_a_group_and_those_above_counts()
    {
        Write("proc/self/cgroup", "0::/pod/container\n");
        Write("sys/fs/cgroup/pod/container/memory.max", "8000\n");
        Write("sys/fs/cgroup/pod/container/memory.current", "100\n");
        Assert.Equal((8000, 100), Cgroup.Memory(_root.Path));
        Write("sys/fs/cgroup/pod/memory.max", "5000\n");
        Write("sys/fs/cgroup/pod/memory.current", "4000\n");
        Assert.Equal((5000, 4000), Cgroup.Memory(_root.Path));
    }

    [Fact]
    public void Files_that_were_read_count_as_free()
    {
        Write("proc/self/cgroup", "0::/pod\n");
        Write("sys/fs/cgroup/pod/memory.max", "5000\n");
        Write("sys/fs/cgroup/pod/memory.current", "4000\n");
        Write("sys/fs/cgroup/pod/memory.stat", "anon 900\nactive_file 600\ninactive_file 2500\n");
        Assert.Equal((5000, 1500), Cgroup.Memory(_root.Path));
    }

    /// <summary>The path names the group on the host; the container sees it as the root of the mount.</summary>
    [Fact]
    public void A_container_that_sees_only_its_own_group_has_its_limit()
    {
        Write("proc/self/cgroup", "0::/system.slice/docker-1234.scope\n");
        Write("sys/fs/cgroup/memory.max", "4096\n");
        Assert.Equal((4096, 0), Cgroup.Memory(_root.Path));
    }

    [Fact]
    public void Version_1_is_read()
    {
        Write("proc/self/cgroup", "5:cpu,cpuacct:/docker/1\n4:memory:/docker/1\n");
        Write("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "9223372036854771712\n");   // no limit
        Assert.Null(Cgroup.Memory(_root.Path));
        Write("sys/fs/cgroup/memory/docker/1/memory.limit_in_bytes", "2048\n");
        Write("sys/fs/cgroup/memory/docker/1/memory.usage_in_bytes", "1024\n");
        Assert.Equal((2048, 1024), Cgroup.Memory(_root.Path));
    }
}
