using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(LlmTune.Tests.GoldenSummary.Last))]

namespace LlmTune.Tests;

/// <summary>
/// How many golden cases of each area ran, in the output of <c>dotnet test</c>: of what a test process writes that shows nothing,
/// and of tests only those that failed or were skipped. So this one is skipped, and the reason is the count.
/// </summary>
[CollectionDefinition(Name, DisableParallelization = true)]
[Collection(Name)]
public sealed class GoldenSummary
{
    public const string Name = "golden cases (a count, not a test)";

    [Fact(DisplayName = Name)]
    public void Report()
    {
        if (Golden.Summary.Count > 0) Assert.Skip(Text(Golden.Summary));
    }

    internal static string Text(IReadOnlyDictionary<string, (int Run, int Skipped)> areas) =>
        string.Join("\n  ", areas.OrderBy(area => area.Key, StringComparer.Ordinal).Select(area => $"{area.Key}: {area.Value.Run} run, {area.Value.Skipped} skipped"));

    /// <summary>Collections that run by themselves come after all others; of those this is the last.</summary>
    public sealed class Last : ITestCollectionOrderer
    {
        public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
            where TTestCollection : ITestCollection =>
            [.. testCollections.OrderBy(collection => collection.TestCollectionDisplayName == Name)];
    }
}
