using LlmTune.Training;

namespace LlmTune.Tests.Training;

public class ScheduleTests
{
    /// <summary>Ten steps, two of warm-up: 0, ½, then 1 − progress in eighths, or ½ (1 + cos(π · progress)).</summary>
    [Fact]
    public void Factors_worked_by_hand()
    {
        Assert.Equal([0, 0.5, 1, 0.875, 0.125, 0], new[] { 0, 1, 2, 3, 9, 10 }.Select(step => Schedule.Linear(step, 2, 10)));
        Assert.Equal([0, 0.5, 1, 0.5, 0], new[] { 0, 1, 2, 6, 10 }.Select(step => Math.Round(Schedule.Cosine(step, 2, 10), 12)));
        Assert.Equal([0, 0.5, 1, 1], new[] { 0, 1, 2, 9 }.Select(step => Schedule.ConstantWithWarmup(step, 2)));
        Assert.Equal(1, Schedule.Linear(0, 0, 10));
        Assert.Equal(1, Schedule.Constant(7));
    }
}
