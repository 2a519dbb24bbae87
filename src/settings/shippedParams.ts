import { EXECUTOR_PARAMETERS } from './executorParameters';
import { paramsFile } from './paramsFile';
import { POLICY_PARAMETERS } from './policyParameters';
import { SIMULATED_ROBOT_PARAMETERS } from './simulatedRobotParameters';

/** The params files that are shipped, by name below `params/`. `npm run params` writes them, a test compares them. */
export function shippedParams(): Readonly<Record<string, string>> {
  return {
    'policy.yaml': paramsFile(POLICY_PARAMETERS, {
      heading: [
        'Parameters of the policy node. Written from the table in src/settings/policyParameters.ts (npm run params); copy it and change the copy.',
        '',
        '  ros2 launch fast_wam_policy policy.launch.py bundle:=/path/to/bundle params:=my.yaml autostart:=true',
        '  ros2 param set /fast_wam_policy cache.refresh_interval 4',
        '',
        'Which topics an observation is made of comes first: every camera of the bundle needs one (`fastwam info BUNDLE` names them). Topic names are relative to the namespace of the node and can be remapped. `fastwam replay` reads the same file.',
      ],
      example: [
        '# One entry for each camera of the bundle. Transport: raw (sensor_msgs/msg/Image) or compressed',
        '# (sensor_msgs/msg/CompressedImage); topics that end in /compressed are compressed.',
        '# cameras.front.topic: front/image_raw',
        '# cameras.front.transport: raw',
        '# cameras.wrist.topic: wrist/image_raw/compressed',
        '',
        '# Where the proprioception comes from: one or several sources, put together in this order. Types: JointState',
        '# (picked by the names in joints; field is position, velocity or effort), PoseStamped (position and axis-angle),',
        '# Float32MultiArray, Float64MultiArray (as they are).',
        '# proprio.sources: [arm, gripper]',
        '# proprio.arm.topic: joint_states',
        '# proprio.arm.type: sensor_msgs/msg/JointState',
        '# proprio.arm.joints: [joint_1, joint_2, joint_3]',
        '# proprio.arm.field: position',
        '# proprio.gripper.topic: gripper/opening',
        '# proprio.gripper.type: std_msgs/msg/Float32MultiArray',
        '# proprio.gripper.joints: [opening]',
      ],
    }),
    'simulated_robot.yaml': paramsFile(SIMULATED_ROBOT_PARAMETERS, {
      heading: [
        'Parameters of the simulated robot. Written from the table in src/settings/simulatedRobotParameters.ts (npm run params); copy it and change the copy.',
      ],
    }),
    'executor.yaml': paramsFile(EXECUTOR_PARAMETERS, {
      heading: [
        'Parameters of the action executor. Written from the table in src/settings/executorParameters.ts (npm run params); copy it and change the copy.',
      ],
    }),
  };
}
