import { describe, expect, it } from 'vitest';
import { RTC_DEFAULTS, readRtc, rtcSettings } from '../../src/settings/rtc';

describe('the settings of real-time chunking', () => {
  it("are off by default, and else those of LeRobot's code with the delay measured", () => {
    expect(RTC_DEFAULTS).toEqual({
      enabled: false,
      schedule: 'LINEAR',
      max_guidance_weight: 10,
      execution_horizon: 10,
      inference_delay: -1,
    });
  });

  it('are read from one text, in which keys may be left out', () => {
    expect(readRtc('')).toEqual({ settings: { ...RTC_DEFAULTS, enabled: true } });
    expect(readRtc('schedule=exp, inference_delay=3,executed=8')).toEqual({
      settings: { ...RTC_DEFAULTS, enabled: true, schedule: 'EXP', inference_delay: 3 },
      executed: 8,
    });
  });

  it.each([
    ['schedul=EXP', /rtc has no setting "schedul"; did you mean "schedule"/],
    ['schedule=CUBIC', /schedule "CUBIC": expected one of LINEAR, EXP, ONES, ZEROS/],
    ['inference_delay=x', /inference_delay "x": expected a whole number/],
    ['inference_delay=-2', /inference_delay -2/],
    ['inference_delay', /--rtc "inference_delay": expected name=value/],
    ['executed=2.5', /--rtc executed "2.5": expected a whole number from 0/],
    ['executed=', /--rtc executed "": expected a whole number from 0/],
  ])('refuse %s with a sentence', (text, sentence) => {
    expect(() => readRtc(text)).toThrow(sentence);
  });

  it('refuse what lies outside its limits', () => {
    expect(() => rtcSettings({ execution_horizon: 0 })).toThrow(/execution_horizon 0/);
  });
});
